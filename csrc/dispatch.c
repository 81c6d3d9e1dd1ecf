/*
 * dispatch.c: which engines this build and this CPU have, and the names of all rows.
 *
 * To add an instruction set: a row in FGD_ISAS, simd/<isa>.h, isa/<isa>_f32.c and isa/<isa>_f64.c.
 */
#include <string.h>
#ifndef _WIN32
#include <pthread.h>
#endif

#include "cpu.h"
#include "fastgd.h"

#define FGD_NAMES_ONLY
#include "tables/activations.h"
#include "tables/input_types.h"
#include "tables/losses.h"
#include "tables/noise.h"
#include "tables/rules.h"

/* Best first: name, and the test of the CPU. */
#if defined(__x86_64__) || defined(_M_X64)
#define FGD_ISAS(ROW) ROW(avx512, cpu_has_avx512()) ROW(avx2, cpu_has_avx2()) ROW(scalar, 1)
#elif defined(__aarch64__)
#define FGD_ISAS(ROW) ROW(neon, 1) ROW(scalar, 1)
#else
#define FGD_ISAS(ROW) ROW(scalar, 1)
#endif

#define ROW(name, test) extern const fgd_engine name##_f32, name##_f64;
FGD_ISAS(ROW)
#undef ROW

const fgd_engine *fgd_find_engine(const char *isa, int bits) {
#define ROW(name, test) \
    if ((!isa || !strcmp(isa, #name)) && (test)) return bits == 32 ? &name##_f32 : &name##_f64;
    FGD_ISAS(ROW)
#undef ROW
    return NULL;
}

const char *fgd_isa_name(int i) {
#define ROW(name, test) \
    if ((test) && i-- == 0) return #name;
    FGD_ISAS(ROW)
#undef ROW
    return NULL;
}

static const char *name_of(const char *const *names, int count, int i) { return i >= 0 && i < count ? names[i] : NULL; }
#define NAME_OF(names, i) name_of(names, sizeof(names) / sizeof *(names), i)

const char *fgd_type_name(int i) {
#define ROW(name, type, convert) #name,
    static const char *const names[] = {FGD_TYPES(ROW)};
#undef ROW
    return NAME_OF(names, i);
}

const char *fgd_activation_name(int i) {
#define ROW(name) #name,
    static const char *const names[] = {FGD_ACTIVATIONS(ROW, ROW, ROW)};
#undef ROW
    return NAME_OF(names, i);
}

const char *fgd_loss_name(int i) {
#define ROW(name) #name,
    static const char *const names[] = {FGD_LOSSES(ROW, ROW, ROW, ROW)};
#undef ROW
    return NAME_OF(names, i);
}

const char *fgd_rule_name(int i) {
#define ROW(name, slots, coefficients) #name,
    static const char *const names[] = {FGD_RULES(ROW)};
#undef ROW
    return NAME_OF(names, i);
}

const char *fgd_noise_name(int i) {
#define ROW(name, per) #name,
    static const char *const names[] = {FGD_NOISES(ROW, ROW)};
#undef ROW
    return NAME_OF(names, i);
}

int fgd_rule_slots(int rule) { return rule_slots[rule]; }
int fgd_rule_coefficients(int rule) { return rule_coefficients[rule]; }
int fgd_loss_needs_labels(int loss) { return loss_needs_labels[loss]; }

/*
 * After fork a child has the state of OpenMP's team but none of its threads, so that its first parallel region would
 * wait for ever: a child works alone.
 */
#ifdef _WIN32
static int is_forked_child(void) { return 0; }
#else
static int forked_child;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;
static void note_fork(void) { forked_child = 1; }
static void watch_forks(void) { pthread_atfork(NULL, NULL, note_fork); }
static int is_forked_child(void) {
    pthread_once(&watch_once, watch_forks);
    return forked_child;
}
#endif

static int most_threads = 1 << 16;
void fgd_set_max_threads(int threads) { most_threads = threads; }

int fgd_max_threads(void) {
    int openmp = scalar_f32.max_threads();
    if (is_forked_child()) return 1;
    return openmp < most_threads ? openmp : most_threads;
}

#define FGD_TEXT_TEXT(a) #a
#define FGD_TEXT(a) FGD_TEXT_TEXT(a)
const char *fgd_compiler(void) {
    return
#if defined(__clang__)
        "clang " FGD_TEXT(__clang_major__) "." FGD_TEXT(__clang_minor__) "." FGD_TEXT(__clang_patchlevel__)
#elif defined(__GNUC__)
        "gcc " FGD_TEXT(__GNUC__) "." FGD_TEXT(__GNUC_MINOR__) "." FGD_TEXT(__GNUC_PATCHLEVEL__)
#else
        "unknown compiler"
#endif
#ifdef _OPENMP
            ", OpenMP " FGD_TEXT(_OPENMP);
#else
            ", without OpenMP";
#endif
}
