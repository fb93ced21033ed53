/* A matrix of a JSON body: rows of numbers, which all have the same length. */

#ifndef MATRIX_H
#define MATRIX_H

#include "text.h"

typedef struct {
    double *cells;
    Py_ssize_t count;
    int rows;
} Matrix;

/* A number of either sign. Returns false to give up: also at -0, which is an integer and so has no sign elsewhere. */
static inline int read_signed(Text *text, double *value) {
    skip_blanks(text);
    if (text->at >= text->end || *text->at != '-')
        return read_number(text, value);
    text->at++;
    if (!read_number(text, value) || *value == 0.0)
        return 0;
    *value = -*value;
    return 1;
}

/* Rows, at the first bracket, into new memory of `matrix`, which the caller frees. Returns false to give up. */
static inline int read_matrix(Text *text, Matrix *matrix) {
    Py_ssize_t width = 0;
    /* A number has a comma or a bracket behind it. */
    matrix->cells = PyMem_Malloc((size_t)((text->end - text->at) / 2 + 1) * sizeof(double));
    if (matrix->cells == NULL || !next_is(text, '['))
        return 0;
    do {
        Py_ssize_t begin = matrix->count;
        if (!next_is(text, '['))
            return 0;
        do {
            if (!read_signed(text, &matrix->cells[matrix->count++]))
                return 0;
        } while (next_is(text, ','));
        if (!next_is(text, ']') || (matrix->rows++ && matrix->count - begin != width))
            return 0;
        width = matrix->count - begin;
    } while (next_is(text, ','));
    return next_is(text, ']');
}

#endif
