/*
 * engine.h: one engine, the same text for every instruction set and width of real (engines/<isa>_f<bits>.c).
 *
 * A step of training, as data flows: rows of X -> a[0] -> per layer a = f(a W + b) -> losses and dz[L] -> per layer from
 * the back dz = (dz W^T) f'(a) -> per layer dW = a^T dz, whose finished tiles go straight into the update of theta.
 *
 * From the bottom up: words, the tables and their functions, the product, memory and threads, a layer, the verbs.
 */
#include "../simd/math.h"

#include "../tables/activations.h"
#include "../tables/losses.h"
#include "../tables/rules.h"
#include "../kernels/philox.h"

#include "../tables/noise.h"

#include "../kernels/update.h"
#include "../kernels/gemm.h"
#include "../kernels/gemv.h"
#include "../kernels/gather.h"
#include "../kernels/loss_rows.h"

#include "barrier.h"
#include "workspace.h"

#include "partition.h"
#include "layers.h"
#include "gradient.h"
#include "transforms.h"

#ifdef _OPENMP
#include <omp.h>
#endif

/* Threads that OpenMP would start now. */
static int max_threads(void) {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* work(argument, seat) by `threads` threads at once, each with a seat of its own. */
static void run_team(int threads, void (*work)(void *argument, seat seat), void *argument) {
    if (threads == 1) {
        work(argument, (seat){0, 1});
        return;
    }
#ifdef _OPENMP
    claims cpus = {0};
#pragma omp parallel num_threads(threads)
    {
        take_seat(&cpus);
        work(argument, (seat){omp_get_thread_num(), omp_get_num_threads()});
    }
#else
    work(argument, (seat){0, 1});
#endif
}

#include "infer.h"
#include "train.h"

#define FGD_JOIN_TEXT(a, b) a##_f##b
#define FGD_JOIN(a, b) FGD_JOIN_TEXT(a, b)
#define FGD_TEXT_TEXT(a) #a
#define FGD_TEXT(a) FGD_TEXT_TEXT(a)
const fgd_engine FGD_JOIN(FGD_ISA, FGD_BITS) = {
    .isa = FGD_TEXT(FGD_ISA),
    .bits = FGD_BITS,
    .max_threads = max_threads,
    .workspace_new = workspace_new,
    .workspace_free = workspace_free,
    .predict = predict,
    .forward = forward,
    .backward = backward,
    .loss = loss_of_table,
    .update = update,
    .train = train,
    .plan = plan,
    .random = random_group,
};

#ifdef FGD_TARGET_PUSHED
FGD_PRAGMA(clang attribute pop)
#endif
