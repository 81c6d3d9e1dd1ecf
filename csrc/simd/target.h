/*
 * Turn the instruction set FGD_TARGET on for all functions that follow, without compiler flags: one setuptools
 * extension has one list of flags for all its files.  Undone for clang at the end of engine.h.
 */
#define FGD_PRAGMA_TEXT(x) _Pragma(#x)
#define FGD_PRAGMA(x) FGD_PRAGMA_TEXT(x)
#if defined(__clang__)
FGD_PRAGMA(clang attribute push(__attribute__((target(FGD_TARGET))), apply_to = function))
#define FGD_TARGET_PUSHED
#elif defined(__GNUC__)
FGD_PRAGMA(GCC target FGD_TARGET)
#endif
