/*
 * tables.h: the names of all entries of the core's tables, without the functions of an engine.
 */
#ifndef FGD_TEST_TABLES_H
#define FGD_TEST_TABLES_H

#include <string.h>

#define FGD_NAMES_ONLY
#include "../fastgd.h"
#include "../tables/activations.h"
#include "../tables/input_layers.h"
#include "../tables/input_types.h"
#include "../tables/losses.h"
#include "../tables/noise.h"
#include "../tables/rules.h"

/* How many entries a table has, given the function that returns their names; and the index of a named one. */
static int entry_count(const char *(*name_of)(int)) {
    int count = 0;
    while (name_of(count)) count++;
    return count;
}
static int entry_named(const char *(*name_of)(int), const char *name) {
    int entry = 0;
    while (strcmp(name_of(entry), name) != 0) entry++;
    return entry;
}

#endif
