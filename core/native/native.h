/* What the files of the extension share. */

#ifndef NATIVE_H
#define NATIVE_H

/* One build serves Python 3.11 and all later ones. */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "only for little-endian machines"
#endif

PyObject *native_body(PyObject *module, PyObject *body);
PyObject *native_bars(PyObject *module, PyObject *rows);
PyObject *native_features(PyObject *module, PyObject *args);
PyObject *native_scale(PyObject *module, PyObject *args);
PyObject *native_within(PyObject *module, PyObject *args);

#endif
