/* The window of a JSON body that has `features`, straight into float64. As in candles.c, anything unusual is left to the
 * pure way, and what is read is the same to the bit. */

#include "native.h"
#include "text.h"

/* The numbers while they are read: rows of one width. */
typedef struct {
    double *cells;
    Py_ssize_t size, capacity, width;
} Matrix;

static int read_signed(Text *text, double *value) {
    int negative = next_is(text, '-'); /* skips blanks, which must not follow it */
    if (!read_number(text, value) || (negative && *value == 0.0))
        return 0;
    if (negative)
        *value = -*value;
    return 1;
}

/* Rows, behind the first bracket. */
static int read_matrix(Text *text, Matrix *matrix) {
    do {
        Py_ssize_t begin = matrix->size;
        if (!next_is(text, '['))
            return 0;
        do {
            if (matrix->size >= matrix->capacity || !read_signed(text, &matrix->cells[matrix->size++]))
                return 0;
        } while (next_is(text, ','));
        if (!next_is(text, ']') || (begin > 0 && matrix->size - begin != matrix->width))
            return 0;
        matrix->width = matrix->size - begin;
    } while (next_is(text, ','));
    return next_is(text, ']');
}

static PyObject *read_body(const char *begin, Py_ssize_t size) {
    Text text = {begin, begin + size, "", 0.0, 0};
    Matrix matrix = {NULL, 0, size / 2, 0}; /* a number has a comma or a bracket behind it */
    Py_ssize_t start = -1, stop = 0;
    PyObject *found = NULL;
    if (!next_is(&text, '{'))
        Py_RETURN_NONE;
    do {
        const char *key;
        int length = next_is(&text, '"') ? read_key(&text, &key) : -1;
        if (length < 0)
            goto done;
        skip_blanks(&text);
        if (length == 8 && memcmp(key, "features", 8) == 0) {
            if (start >= 0)
                goto done;
            start = text.at - begin;
            matrix.cells = PyMem_Malloc((size_t)matrix.capacity * sizeof(double));
            if (matrix.cells == NULL)
                return PyErr_NoMemory();
            if (!next_is(&text, '[') || !read_matrix(&text, &matrix))
                goto done;
            stop = text.at - begin;
        } else if (!skip_value(&text))
            goto done;
    } while (next_is(&text, ','));
    if (start >= 0 && next_is(&text, '}'))
        found = Py_BuildValue("nnny#", start, stop, matrix.width, (const char *)matrix.cells,
                              matrix.size * (Py_ssize_t)sizeof(double));
done:
    PyMem_Free(matrix.cells);
    if (found == NULL && !PyErr_Occurred())
        Py_RETURN_NONE;
    return found;
}

PyObject *native_window(PyObject *module, PyObject *body) {
    Py_buffer view;
    PyObject *found;
    (void)module;
    if (PyObject_GetBuffer(body, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    found = read_body(view.buf, view.len);
    PyBuffer_Release(&view);
    return found;
}
