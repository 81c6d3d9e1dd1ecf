/*
 * engine.h: one engine, the same text for every instruction set and width of real (engines/<isa>_f<bits>.c).
 *
 * A step of training, as data flows: rows of X -> a[0] -> per layer a = f(a W + b) -> losses and dz[L] -> per layer from
 * the back dz = (dz W^T) f'(a) -> per layer dW = a^T dz, whose finished tiles go straight into the update of theta.
 *
 * From the bottom up: words, the tables and their functions, the product, memory and threads, a layer, the verbs.
 */
#ifndef FGD_ENGINE_H
#define FGD_ENGINE_H

#include "../fastgd.h"
#include "../kernels/philox.h"
#include "infer.h"
#include "team.h"
#include "train.h"
#include "workspace.h"

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

#include "../simd/target_end.h"

#endif
