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
const fgd_engine FGD_JOIN(FGD_ISA, FGD_BITS) = {
    .isa = FGD_TEXT(FGD_ISA),
    .bits = FGD_BITS,
    .workspace_new = workspace_new,
    .workspace_free = workspace_free,
    .predict = predict,
    .is_finite = table_is_finite,
    .forward = forward,
    .backward = backward,
    .loss = loss_of_table,
    .mean_loss = mean_loss,
    .update = update,
    .checked_update = checked_update,
    .train = train,
    .plan = plan,
    .random = random_group,
    .orders = fill_orders,
};

#include "../simd/target_end.h"

#endif
