/*
 * cpu.h: the instruction sets that this x86 CPU and the operating system support.  It uses CPUID directly, because
 * __builtin_cpu_supports returns 0 for everything under some compilers (zig).
 */
#ifndef FGD_CPU_H
#define FGD_CPU_H

#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>
#include <stdatomic.h>
#include <stdint.h>

/* XCR0, the registers that the system saves: bits 1-2 up to AVX, bits 5-7 for AVX-512. */
static uint64_t saved_registers(void) {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE)) return 0;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return (uint64_t)edx << 32 | eax;
}

static int detect_avx2(void) {
    unsigned eax, ebx, ecx, edx;
    if ((saved_registers() & 0x06) != 0x06) return 0;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_FMA)) return 0;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_AVX2);
}

static int detect_avx512(void) {
    unsigned eax, ebx, ecx, edx, need = bit_AVX512F | bit_AVX512DQ | bit_AVX512VL | bit_AVX512BW;
    if (!detect_avx2() || (saved_registers() & 0xe6) != 0xe6) return 0;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & need) == need;
}

/* Detects once: under a hypervisor CPUID takes microseconds, and networks may be made by the thousand. */
static int detect_once(int (*detect)(void), atomic_int *known) {
    if (!atomic_load(known)) atomic_store(known, detect() ? 1 : -1);
    return atomic_load(known) > 0;
}

static int cpu_has_avx2(void) {
    static atomic_int known;
    return detect_once(detect_avx2, &known);
}

static int cpu_has_avx512(void) {
    static atomic_int known;
    return detect_once(detect_avx512, &known);
}
#endif

#endif
