/* Undoes target.h for clang, whose pragma needs an end. */
#ifdef FGD_TARGET_PUSHED
FGD_PRAGMA(clang attribute pop)
#undef FGD_TARGET_PUSHED
#endif
