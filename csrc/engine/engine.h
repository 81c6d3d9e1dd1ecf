/*
 * engine.h: one engine, the same source for each instruction set and type of real (isa/<isa>_f<bits>.c).
 *
 * The data flow of a training step: rows of X -> a[0] -> per layer a = f(a W + b) -> losses and dz[L] -> per layer,
 * last first, dz = (dz W^T) f'(a) -> per layer dW = a^T dz, whose finished tiles update theta directly.
 *
 * Layers of the source, bottom to top: vectors (simd/), tables and their functions (tables/), kernels (kernels/),
 * memory and threads, layers, and the functions of fgd_engine (engine/).
 */
#ifndef FGD_ENGINE_H
#define FGD_ENGINE_H

#include "../fastgd.h"
#include "../kernels/orders.h"
#include "../kernels/philox.h"
#include "infer.h"
#include "plan.h"
#include "stepwise.h"
#include "train.h"
#include "workspace.h"

#define FGD_JOIN_TEXT(a, b) a##_f##b
#define FGD_JOIN(a, b) FGD_JOIN_TEXT(a, b)
#define FGD_TEXT_TEXT(a) #a
#define FGD_TEXT(a) FGD_TEXT_TEXT(a)
#define FGD_ENGINE(name, new, predict_table, plan_of) \
    const fgd_engine FGD_JOIN(name, FGD_BITS) = {     \
        .isa = FGD_TEXT(name),                        \
        .bits = FGD_BITS,                             \
        .workspace_new = new,                         \
        .workspace_free = workspace_free,             \
        .predict = predict_table,                     \
        .is_finite = table_is_finite,                 \
        .forward = forward,                           \
        .backward = backward,                         \
        .loss = loss_of_table,                        \
        .count_correct = count_correct,               \
        .mean_loss = mean_loss,                       \
        .update = update,                             \
        .checked_update = checked_update,             \
        .train = train,                               \
        .plan = plan_of,                              \
        .random = random_group,                       \
        .orders = fill_orders,                        \
    };
FGD_ENGINE(FGD_ISA, workspace_new, predict, plan)

#ifdef FGD_TILES_ISA /* the same, but with tiles for bf16 factors */
static fgd_workspace *workspace_new_tiles(const fgd_net *net, ptrdiff_t rows) { return new_workspace(net, rows, 1); }
static fgd_status predict_tiles(const fgd_net *net, const void *theta, const fgd_table *X, void *Z, int n_threads) {
    if (is_bf16(net)) return bf16_predict(net, theta, X, Z, n_threads, 1);
    return predict(net, theta, X, Z, n_threads);
}
static fgd_plan plan_tiles(const fgd_net *net, ptrdiff_t rows, int n_threads) {
    return plan_with(net, rows, n_threads, 1);
}
FGD_ENGINE(FGD_TILES_ISA, workspace_new_tiles, predict_tiles, plan_tiles)
#endif

#include "../simd/target_end.h"

#endif
