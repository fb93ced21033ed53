/* The optional extension: see core/native/__init__.py. */

#include "native.h"

static PyMethodDef methods[] = {
    {"body", native_body, METH_O, "The candles or features of a JSON body as arrays, and where they stand in it; or None."},
    {"bars", native_bars, METH_O, "Candles (n, 5) as bytes (5, n), checked; or None."},
    {"features", native_features, METH_VARARGS, "Fill windows with features."},
    {"scale", native_scale, METH_VARARGS, "Subtract and divide."},
    {"within", native_within, METH_VARARGS, "Whether windows are within limits."},
    {NULL, NULL, 0, NULL},
};

static int filled(PyObject *module) { return PyModule_AddStringConstant(module, "SOURCE", NATIVE_SOURCE); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, filled}, {0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "_native", .m_size = 0, .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
