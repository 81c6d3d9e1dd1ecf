/*
 * selftest.c: tests every engine of this CPU against naive code in double precision, without Python.
 *
 * A group of tests is one function of the headers below and its entry in main.  Sizes straddle the engines' constants:
 * VL (1 ... 16), NR = 2 VL, MR (4 ... 14), MC = 336, the 126 rows that predict processes at a time, and the steps of a
 * block of k: at most 1024, and 32 with a small L2.
 * All arrays are guarded (arrays.h), so a crash inside a group is a read or write outside an array.
 */
#include <stdatomic.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "activations_and_losses.h"
#include "arrays.h"
#include "bf16.h"
#include "check.h"
#include "denormals.h"
#include "failures.h"
#include "input_layers.h"
#include "memo.h"
#include "noise.h"
#include "orders.h"
#include "own_columns.h"
#include "phases.h"
#include "products.h"
#include "relay.h"
#include "rules_and_types.h"
#include "tables.h"
#include "training.h"
#include "transforms.h"
#include "tuner.h"

typedef struct {
    const char *name;
    void (*run)(const fgd_engine *);
    int of_bf16; /* 1: also runs on amx, where nothing but products of bf16 factors differs from avx512 */
} group;

extern atomic_int fgd_dots_are_faster; /* dispatch.c: whether VDPBF16PS, if the CPU has it, computes bf16 products */

/* Runs a group on every engine, on the same data, with arrays at the end of their pages and at the start, and with each
   size of L2. */
static void run_group(const group *g) {
    int before = passed;
    printf("%s:", g->name);
    for (at_start = 0; at_start < 2; at_start++)
        for (int i = 0; fgd_isa_name(i); i++)
            for (int bits = 32; bits <= 64; bits += 32) {
                if (!g->of_bf16 && !strcmp(fgd_isa_name(i), "amx")) continue;
                fflush(stdout);
                engine = fgd_find_engine(fgd_isa_name(i), bits);
                fgd_set_l2_bytes(at_start ? SMALL_L2 : LARGE_L2);
                atomic_store(&fgd_dots_are_faster, at_start ? 1 : -1);
                random_state = 0;
                next_memo = 0;
                g->run(engine);
                release_arrays();
            }
    forget_memos();
    printf(" %d checks\n", passed - before);
}

/* Whether the arguments name a group; without arguments they all run. */
static int is_chosen(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], name)) return 1;
    return argc == 1;
}

int main(int argc, char **argv) {
    /* clang-format off */
    static const group groups[] = {
        {"activations", activations, 0},
        {"losses", losses, 0},
        {"rules", rules, 0},
        {"types", types, 0},
        {"products", products, 0},
        {"bf16 passes", bf16_passes, 1},
        {"bf16 runs", bf16_runs, 1},
        {"training", training, 0},
        {"same bits", same_bits, 0},
        {"failures", failures, 0},
        {"denormals", denormals, 0},
        {"transforms", transforms, 0},
        {"random words", random_words, 0},
        {"orders", orders, 0},
        {"noise", noise, 0},
        {"known answers", known_answers, 1},
        {"own columns", own_columns_of_threads, 0},
        {"relay", relay_of_threads, 0},
        {"phases", phases, 0},
        {"input layers", input_layers, 0},
        {"tuner", tuner, 0},
    };
    /* clang-format on */
#ifdef _OPENMP
    omp_set_num_threads(4); /* on any machine: the engines start no more threads than OpenMP would */
#endif
    for (int g = 0; g < COUNT(groups); g++)
        if (is_chosen(groups[g].name, argc, argv)) run_group(&groups[g]);
    printf("%d passed, %d failed (%s)\n", passed, failed, fgd_compiler());
    return failed > 0;
}
