/* A scaler that subtracts and divides, as core/bundles/plain_scaler.py: each operation is rounded once, to the bit. */

#include "native.h"

#include <string.h>

static int is_of(const Py_buffer *view, const char *format) {
    return view->format != NULL && strcmp(view->format, format) == 0;
}

/* scale(centre, scale, values, out): (values - centre) / scale as float32, all arrays in C order.
 * centre, scale: float64 (width,). values: float64 (..., width). out: float32 with as many elements. */
PyObject *native_scale(PyObject *module, PyObject *args) {
    Py_buffer view[4] = {{0}};
    PyObject *objects[4];
    int got = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "OOOO", &objects[0], &objects[1], &objects[2], &objects[3]))
        return NULL;
    for (; got < 4; got++)
        if (PyObject_GetBuffer(objects[got], &view[got], PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (got == 3 ? PyBUF_WRITABLE : 0)) < 0)
            goto done;
    Py_ssize_t width = view[0].len / (Py_ssize_t)sizeof(double), count = view[2].len / (Py_ssize_t)sizeof(double);
    if (!is_of(&view[0], "d") || !is_of(&view[1], "d") || !is_of(&view[2], "d") || !is_of(&view[3], "f") ||
        width == 0 || view[1].len != view[0].len || count % width != 0 ||
        view[3].len != count * (Py_ssize_t)sizeof(float)) {
        PyErr_SetString(PyExc_ValueError, "the arrays of a scaler do not fit each other");
        goto done;
    }
    const double *centre = view[0].buf, *scale = view[1].buf, *values = view[2].buf;
    float *out = view[3].buf;
    for (Py_ssize_t row = 0; row < count; row += width)
        for (Py_ssize_t i = 0; i < width; i++)
            out[row + i] = (float)((values[row + i] - centre[i]) / scale[i]);
done:
    while (got > 0)
        PyBuffer_Release(&view[--got]);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}
