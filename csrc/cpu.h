/*
 * cpu.h: the instruction sets that this CPU and the operating system support, and the size of its L2 cache.  On x86 it
 * uses CPUID directly: __builtin_cpu_supports returns 0 for everything under some compilers (zig).
 */
#ifndef FGD_CPU_H
#define FGD_CPU_H

#include <stddef.h>

#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>
#include <stdatomic.h>
#include <stdint.h>

#include "simd/amx_support.h"
#ifdef FGD_HAS_AMX
#include <sys/syscall.h>
#include <unistd.h>
#endif

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

static int detect_avx512_bf16(void) {
    unsigned eax, ebx, ecx, edx;
    return detect_avx512() && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & 1 << 5);
}

#ifdef FGD_HAS_AMX
/* arch_prctl: the registers that the system can save, and a request to use one of them. */
enum { GET_XCOMP_SUPP = 0x1021, REQUEST_XCOMP_PERM = 0x1023, TILE_DATA = 18 };

static int detect_amx(void) {
    unsigned eax, ebx, ecx, edx, need = 1 << 24 | 1 << 22; /* AMX-TILE, AMX-BF16 */
    uint64_t tiles = (uint64_t)3 << 17, supported = 0;
    if (!detect_avx512_bf16() || (saved_registers() & tiles) != tiles) return 0;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || (edx & need) != need) return 0;
    return syscall(SYS_arch_prctl, GET_XCOMP_SUPP, &supported) == 0 && (supported & tiles) == tiles;
}

/* Requests the use of tiles for this process.  The system refuses where a signal stack has no room for them. */
static int detect_permission(void) { return syscall(SYS_arch_prctl, REQUEST_XCOMP_PERM, TILE_DATA) == 0; }
#endif

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

static int cpu_has_avx512_bf16(void) {
    static atomic_int known;
    return detect_once(detect_avx512_bf16, &known);
}

#ifdef FGD_HAS_AMX
static int cpu_has_amx(void) {
    static atomic_int known;
    return detect_once(detect_amx, &known);
}
#endif

/* The bytes of L2 by a leaf of CPUID that lists the caches, or 0: its type is in bits 0-4 of eax, 2 being that of an
   instruction cache, its level in bits 5-7. */
static size_t l2_by_cpuid(unsigned leaf) {
    unsigned eax, ebx, ecx, edx;
    for (unsigned i = 0; __get_cpuid_count(leaf, i, &eax, &ebx, &ecx, &edx) && (eax & 31); i++) {
        if ((eax & 31) == 2 || (eax >> 5 & 7) != 2) continue;
        return ((size_t)(ebx >> 22) + 1) * ((ebx >> 12 & 1023) + 1) * ((ebx & 4095) + 1) * ((size_t)ecx + 1);
    }
    return 0;
}

static size_t stated_l2(void) {
    enum { CACHES = 4, CACHES_OF_AMD = 0x8000001d };
    size_t bytes = l2_by_cpuid(CACHES);
    return bytes ? bytes : l2_by_cpuid(CACHES_OF_AMD);
}

#elif defined(__APPLE__)
#include <stdint.h>
#include <sys/sysctl.h>

static uint64_t system_value(const char *name) {
    uint64_t value = 0;
    size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, NULL, 0) ? 0 : value;
}

/* A core's share of the L2 of its cluster. */
static size_t stated_l2(void) {
    uint64_t cores = system_value("hw.perflevel0.cpusperl2");
    return (size_t)(system_value("hw.perflevel0.l2cachesize") / (cores ? cores : 1));
}
#else
#include <stdio.h>

/* Linux lists the caches of a core as index0, index1 ...; elsewhere there are no such files. */
static size_t stated_l2(void) {
    unsigned long kilobytes = 0;
    for (int i = 0, level = 0; i < 4 && level != 2; i++) {
        char path[80];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/level", i);
        FILE *file = fopen(path, "r");
        if (!file) return 0;
        if (fscanf(file, "%d", &level) != 1) level = 0;
        fclose(file);
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", i);
        file = level == 2 ? fopen(path, "r") : NULL;
        if (file && fscanf(file, "%luK", &kilobytes) != 1) kilobytes = 0;
        if (file) fclose(file);
    }
    return (size_t)kilobytes * 1024;
}
#endif

/* Of a CPU and a system that state none: what most have. */
enum { USUAL_L2 = 1 << 20 };

static size_t detect_l2(void) {
    size_t bytes = stated_l2();
    return bytes ? bytes : USUAL_L2;
}

#endif
