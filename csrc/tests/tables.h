/*
 * tables.h: the names of all entries of the core's tables, without the functions of an engine.
 */
#ifndef FGD_TEST_TABLES_H
#define FGD_TEST_TABLES_H

#define FGD_NAMES_ONLY
#include "../fastgd.h"
#include "../tables/activations.h"
#include "../tables/input_types.h"
#include "../tables/losses.h"
#include "../tables/noise.h"
#include "../tables/rules.h"

#endif
