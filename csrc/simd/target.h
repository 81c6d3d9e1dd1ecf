/*
 * target.h: enables the instruction set FGD_TARGET for all functions that follow, without compiler flags, because a
 * setuptools extension has one list of flags for all its files.  target_end.h undoes it.
 */
#ifdef FGD_TARGET
#define FGD_PRAGMA_TEXT(x) _Pragma(#x)
#define FGD_PRAGMA(x) FGD_PRAGMA_TEXT(x)
#if defined(__clang__)
FGD_PRAGMA(clang attribute push(__attribute__((target(FGD_TARGET))), apply_to = function))
#define FGD_TARGET_PUSHED
#elif defined(__GNUC__)
FGD_PRAGMA(GCC target FGD_TARGET)
#endif
#endif
