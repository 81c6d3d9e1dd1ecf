/*
 * dispatch.c: the engines of this build that this CPU supports, and the names of all entries of the tables.
 *
 * To add an instruction set: an entry of FGD_ISAS, simd/<isa>.h, isa/<isa>_f32.c and isa/<isa>_f64.c.
 */
#include <stdatomic.h>
#include <string.h>

#include "cpu.h"
#include "fastgd.h"

#define FGD_NAMES_ONLY
#include "tables/activations.h"
#include "tables/input_layers.h"
#include "tables/input_types.h"
#include "tables/losses.h"
#include "tables/noise.h"
#include "tables/rules.h"

/* Best first: name, and whether the CPU supports it. */
#if defined(__x86_64__) || defined(_M_X64)
#ifdef FGD_HAS_AMX
#define FGD_ISAS(ISA) ISA(amx, cpu_has_amx()) ISA(avx512, cpu_has_avx512()) ISA(avx2, cpu_has_avx2()) ISA(scalar, 1)
#else
#define FGD_ISAS(ISA) ISA(avx512, cpu_has_avx512()) ISA(avx2, cpu_has_avx2()) ISA(scalar, 1)
#endif
#elif defined(__aarch64__)
#define FGD_ISAS(ISA) ISA(neon, 1) ISA(scalar, 1)
#else
#define FGD_ISAS(ISA) ISA(scalar, 1)
#endif

#define ISA(name, supported) extern const fgd_engine name##_f32, name##_f64;
FGD_ISAS(ISA)
#undef ISA

/* Read by kernels/blocks.h. */
atomic_size_t fgd_l2_cache;

size_t fgd_l2_bytes(void) {
    if (!atomic_load(&fgd_l2_cache)) atomic_store(&fgd_l2_cache, detect_l2());
    return atomic_load(&fgd_l2_cache);
}

void fgd_set_l2_bytes(size_t bytes) { atomic_store(&fgd_l2_cache, bytes ? bytes : detect_l2()); }

/* Read by simd/amx.h. */
atomic_int fgd_converts_bf16, fgd_dots_are_faster;

#ifdef FGD_HAS_AMX
/* Whether this process may use tiles; asked for when a network first wants them. */
int fgd_may_use_tiles(void) {
    static atomic_int permitted;
    if (!atomic_load(&permitted) && cpu_has_amx()) atomic_store(&permitted, detect_permission());
    return atomic_load(&permitted);
}
#endif

const fgd_engine *fgd_find_engine(const char *isa, int bits) {
    fgd_l2_bytes(); /* the engines expect that these are known */
#if defined(__x86_64__) || defined(_M_X64)
    atomic_store(&fgd_converts_bf16, cpu_has_avx512_bf16());
#endif
#define ISA(name, supported) \
    if ((!isa || !strcmp(isa, #name)) && (supported)) return bits == 32 ? &name##_f32 : &name##_f64;
    FGD_ISAS(ISA)
#undef ISA
    return NULL;
}

const char *fgd_isa_name(int i) {
#define ISA(name, supported) \
    if ((supported) && i-- == 0) return #name;
    FGD_ISAS(ISA)
#undef ISA
    return NULL;
}

static const char *entry(const char *const *names, int count, int i) { return i >= 0 && i < count ? names[i] : NULL; }
#define ENTRY(names, i) entry(names, sizeof(names) / sizeof *(names), i)

const char *fgd_type_name(int i) {
#define TYPE(name, c_type, convert) #name,
    static const char *const names[] = {FGD_TYPES(TYPE)};
#undef TYPE
    return ENTRY(names, i);
}

const char *fgd_activation_name(int i) {
#define ACTIVATION(name) #name,
    static const char *const names[] = {FGD_ACTIVATIONS(ACTIVATION, ACTIVATION, ACTIVATION)};
#undef ACTIVATION
    return ENTRY(names, i);
}

const char *fgd_loss_name(int i) {
#define LOSS(name) #name,
    static const char *const names[] = {FGD_LOSSES(LOSS, LOSS, LOSS, LOSS)};
#undef LOSS
    return ENTRY(names, i);
}

const char *fgd_rule_name(int i) {
#define RULE(name, slots, coefficients) #name,
    static const char *const names[] = {FGD_RULES(RULE)};
#undef RULE
    return ENTRY(names, i);
}

const char *fgd_noise_name(int i) {
#define NOISE(name, per) #name,
    static const char *const names[] = {FGD_NOISES(NOISE, NOISE, NOISE)};
#undef NOISE
    return ENTRY(names, i);
}

const char *fgd_input_layer_name(int i) {
#define INPUT_LAYER(name, kept) #name,
    static const char *const names[] = {FGD_INPUT_LAYERS(INPUT_LAYER)};
#undef INPUT_LAYER
    return ENTRY(names, i);
}

int fgd_rule_slots(int rule) { return rule_slots[rule]; }
int fgd_rule_coefficients(int rule) { return rule_coefficients[rule]; }
int fgd_loss_needs_labels(int loss) { return loss_needs_labels[loss]; }

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
