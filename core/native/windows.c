/* The check of a network's input: whether its values are within the limits of what the network was trained on. */

#include "native.h"

#include <string.h>

/* The buffer of a C-contiguous array of float32. Returns false without an exception if it is none. */
static int get(PyObject *array, Py_buffer *view, int dimensions) {
    if (PyObject_GetBuffer(array, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0) {
        PyErr_Clear();
        return 0;
    }
    if (view->format != NULL && strcmp(view->format, "f") == 0 && view->ndim == dimensions)
        return 1;
    PyBuffer_Release(view);
    return 0;
}

/* Whether windows (n, rows, width) have the shape of limits (rows, width). */
static int has_rows(const Py_buffer *windows, const Py_buffer *limits) {
    return windows->shape[1] == limits->shape[0] && windows->shape[2] == limits->shape[1];
}

/* within(windows, low, high): whether every value of float32 windows (n, rows, width) is between those of low and high
 * (rows, width). False also for NaN, and for arrays of other types or shapes. */
PyObject *native_within(PyObject *module, PyObject *args) {
    PyObject *arrays[3];
    Py_buffer views[3];
    int got = 0, bad = 1;
    (void)module;
    if (!PyArg_ParseTuple(args, "OOO", &arrays[0], &arrays[1], &arrays[2]))
        return NULL;
    while (got < 3 && get(arrays[got], &views[got], got == 0 ? 3 : 2))
        got++;
    if (got == 3 && has_rows(&views[0], &views[1]) && has_rows(&views[0], &views[2])) {
        const float *values = views[0].buf, *low = views[1].buf, *high = views[2].buf;
        Py_ssize_t count = views[1].len / (Py_ssize_t)sizeof(float);
        bad = 0;
        for (Py_ssize_t window = 0; window < views[0].shape[0]; window++, values += count)
            for (Py_ssize_t i = 0; i < count; i++)
                bad |= !((values[i] >= low[i]) & (values[i] <= high[i])); /* false for NaN */
    }
    while (got > 0)
        PyBuffer_Release(&views[--got]);
    return PyBool_FromLong(!bad);
}
