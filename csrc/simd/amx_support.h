/*
 * amx_support.h: whether this build has the instructions for bf16 of x86: AMX tiles, which a process must request from
 * Linux, and AVX512-BF16.  Compilers from gcc 11 and clang 12 on know them.
 */
#ifndef FGD_AMX_SUPPORT_H
#define FGD_AMX_SUPPORT_H

#if defined(__x86_64__) && defined(__linux__)
#if defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11
#define FGD_HAS_AMX
#endif
#endif

#endif
