/* Windows of features, each computed as core/features/indicators.py and scale_free.py define it, to the bit: the same
 * operations on the same numbers in the same order. EMAs are computed by their definition. */

#include "native.h"
#include "series.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define MOST_BARS 2000

/* The order of core.native.OPERATIONS. */
enum {
    FIELD, RETURNS, MOMENTUM, SMA, EMA, MACD, MACD_SIGNAL, MACD_HISTOGRAM, BB_UPPER, BB_LOWER, BB_WIDTH, BB_WIDTH_20,
    RSI, ADX, STOCH_K, STOCH_D, VOLATILITY, VOLUME_RATIO, VOLUME_SMA, ATR, TRUE_RANGE_ATR, BODY_ATR, UPPER_WICK_ATR,
    LOWER_WICK_ATR, GAP_ATR, MOVE_ATR, RANGE_ATR, CLOSE_POSITION, ATR_RELATIVE, OPERATIONS
};

#define BUFFERS 27

/* Write one feature: into found[0], found[width], found[2 * width]... */
static void compute(Series *s, int operation, int n, double *found, int width) {
    const int rows = s->rows, from = s->bars - s->rows;
    const double *open = s->open + from, *high = s->high + from, *low = s->low + from, *close = s->close + from;
#define EACH(value)                       \
    for (int i = 0; i < rows; i++)        \
        found[(Py_ssize_t)i * width] = (value)
    switch (operation) {
    case FIELD: {
        const double *field = (n == 0 ? s->open : n == 1 ? s->high : n == 2 ? s->low : n == 3 ? s->close : s->volume) + from;
        EACH(field[i]);
        break;
    }
    case RETURNS:
        EACH(close[i] / close[i - 1] - 1.0);
        break;
    case MOMENTUM:
        EACH(close[i] / close[i - n] - 1.0);
        break;
    case SMA:
        if (n == BAND_BARS) {
            need_middle(s);
            EACH(s->middle[i]);
        } else {
            rolling_mean(last(s, s->close, n - 1), rows + n - 1, n, s->two, s->one);
            EACH(s->two[i]);
        }
        break;
    case EMA:
        if (n == 12) {
            need_macd(s);
            EACH(s->fast[i + from]);
        } else if (n == 26) {
            need_macd(s);
            EACH(s->slow[i + from]);
        } else {
            ema(s->close, s->bars, n, s->one);
            EACH(s->one[i + from]);
        }
        break;
    case MACD:
        need_macd(s);
        EACH(s->macd[i + from]);
        break;
    case MACD_SIGNAL:
        need_signal(s);
        EACH(s->signal[i + from]);
        break;
    case MACD_HISTOGRAM:
        need_signal(s);
        EACH(s->macd[i + from] - s->signal[i + from]);
        break;
    case BB_UPPER:
        need_deviation(s);
        EACH(s->middle[i] + 2.0 * s->deviation[i]);
        break;
    case BB_LOWER:
        need_deviation(s);
        EACH(s->middle[i] + -2.0 * s->deviation[i]);
        break;
    case BB_WIDTH:
        need_deviation(s);
        EACH(4.0 * s->deviation[i]);
        break;
    case BB_WIDTH_20:
        need_deviation(s);
        EACH(4.0 * s->deviation[i] / s->middle[i]);
        break;
    case RSI: {
        const double *gain, *loss;
        need_movements(s);
        if (n == MOVEMENT_BARS) {
            need_sums(s);
            gain = s->sums[2] + from - (n - 1);
            loss = s->sums[3] + from - (n - 1);
        } else {
            rolling_sum(last(s, s->gain, n - 1), rows + n - 1, n, s->two, s->one);
            rolling_sum(last(s, s->loss, n - 1), rows + n - 1, n, s->three, s->one);
            gain = s->two;
            loss = s->three;
        }
        EACH(ratio(100.0 * gain[i], gain[i] + loss[i], 50.0));
        break;
    }
    case ADX: {
        int bars = rows + MOVEMENT_BARS - 1;
        need_sums(s);
        const double *plus = s->sums[0] + s->bars - bars - (MOVEMENT_BARS - 1);
        const double *minus = s->sums[1] + s->bars - bars - (MOVEMENT_BARS - 1);
        for (int i = 0; i < bars; i++)
            s->two[i] = ratio(fabs(plus[i] - minus[i]), plus[i] + minus[i], 0.0);
        rolling_sum(s->two, bars, MOVEMENT_BARS, s->three, s->one);
        EACH(s->three[i] * (100.0 / MOVEMENT_BARS));
        break;
    }
    case STOCH_K:
        stochastic(s, rows, n, s->four);
        EACH(s->four[i]);
        break;
    case STOCH_D:
        stochastic(s, rows + 2, n, s->four);
        rolling_mean(s->four, rows + 2, 3, s->two, s->one);
        EACH(s->two[i]);
        break;
    case VOLATILITY:
        for (int i = 0; i < rows + n - 1; i++) {
            const double *at = close + i - (n - 1);
            s->two[i] = at[0] / at[-1] - 1.0;
        }
        rolling_mean(s->two, rows + n - 1, n, s->three, s->one);
        rolling_std(s->two, rows, n, s->three, s->four);
        EACH(s->four[i]);
        break;
    case VOLUME_SMA:
    case VOLUME_RATIO: {
        const double *volume = s->volume + from;
        rolling_mean(last(s, s->volume, BAND_BARS - 1), rows + BAND_BARS - 1, BAND_BARS, s->two, s->one);
        if (operation == VOLUME_SMA)
            EACH(s->two[i]);
        else
            EACH(ratio(volume[i], s->two[i], 0.0));
        break;
    }
    case ATR:
        atr(s, n, s->two, s->one);
        EACH(s->two[i]);
        break;
    case TRUE_RANGE_ATR:
        need_unit(s);
        EACH(s->range[i + from] / s->unit[i]);
        break;
    case BODY_ATR:
        need_unit(s);
        EACH((close[i] - open[i]) / s->unit[i]);
        break;
    case UPPER_WICK_ATR:
        need_unit(s);
        EACH((high[i] - larger(open[i], close[i])) / s->unit[i]);
        break;
    case LOWER_WICK_ATR:
        need_unit(s);
        EACH((smaller(open[i], close[i]) - low[i]) / s->unit[i]);
        break;
    case GAP_ATR:
        need_unit(s);
        EACH((open[i] - close[i - 1]) / s->unit[i]);
        break;
    case MOVE_ATR:
        need_unit(s);
        EACH((close[i] - close[i - n]) / s->unit[i]);
        break;
    case RANGE_ATR:
        need_unit(s);
        extremes(s, rows, n);
        EACH((s->one[i] + s->two[i]) / s->unit[i]);
        break;
    case CLOSE_POSITION:
        EACH(ratio(close[i] - low[i], high[i] - low[i], 0.5));
        break;
    case ATR_RELATIVE:
        atr(s, n, s->two, s->one);
        EACH(s->two[i] / close[i]);
        break;
    default:
        break;
    }
#undef EACH
}

/* The bars that one row of a feature needs, its own included, as in core/features/catalogue.py. */
static int look_back(int operation, int n) {
    int is_free = n >= 1 && n <= MOST_BARS, unit = MOVEMENT_BARS + 1; /* with the close before them */
    switch (operation) {
    case RETURNS:
        return 2;
    case SMA: case RSI: case STOCH_K: case ATR:
        return is_free ? n : INT_MAX;
    case MOMENTUM: case VOLATILITY: case ATR_RELATIVE:
        return is_free ? n + 1 : INT_MAX;
    case STOCH_D:
        return is_free ? n + 2 : INT_MAX;
    case MOVE_ATR: case RANGE_ATR:
        n += operation == MOVE_ATR && is_free;
        return !is_free ? INT_MAX : n > unit ? n : unit;
    case BB_UPPER: case BB_LOWER: case BB_WIDTH: case BB_WIDTH_20: case VOLUME_RATIO: case VOLUME_SMA:
        return BAND_BARS;
    case ADX:
        return 2 * MOVEMENT_BARS - 1;
    case TRUE_RANGE_ATR: case BODY_ATR: case UPPER_WICK_ATR: case LOWER_WICK_ATR: case GAP_ATR:
        return unit;
    default:
        return 1;
    }
}

/* Copy the candles (5, bars) of a series, in any layout. Returns false with an exception. */
static int load(PyObject *values, Series *s, int least, double *buffers) {
    Py_buffer view;
    if (PyObject_GetBuffer(values, &view, PyBUF_STRIDES | PyBUF_FORMAT) < 0)
        return 0;
    if (view.ndim != 2 || view.itemsize != sizeof(double) || view.format == NULL || strcmp(view.format, "d") != 0 ||
        view.shape[0] != 5 || view.shape[1] > MOST_BARS || view.shape[1] < least) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_ValueError, "a series is no float64 array (5, bars) with enough bars");
        return 0;
    }
    memset(s, 0, sizeof *s);
    s->bars = (int)view.shape[1];
    double **all[] = {&s->open,    &s->high,    &s->low,     &s->close,   &s->volume,  &s->plus,   &s->minus,
                      &s->gain,    &s->loss,    &s->range,   &s->sums[0], &s->sums[1], &s->sums[2], &s->sums[3],
                      &s->sums[4], &s->fast,    &s->slow,    &s->macd,    &s->signal,  &s->middle, &s->deviation,
                      &s->unit,    &s->one,     &s->two,     &s->three,   &s->four};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        *all[k] = buffers + k * (size_t)s->bars;
    for (int field = 0; field < 5; field++) {
        const char *from = (const char *)view.buf + field * view.strides[0];
        double *into = buffers + (size_t)field * (size_t)s->bars;
        if (view.strides[1] == sizeof(double))
            memcpy(into, from, (size_t)s->bars * sizeof(double));
        else
            for (int i = 0; i < s->bars; i++)
                memcpy(&into[i], from + i * view.strides[1], sizeof(double));
    }
    PyBuffer_Release(&view);
    return 1;
}

/* features(program, rows, least, series, out): fill columns of out (series, rows, width), float64 in C order.
 * program: three integers of 32 bits for each column to fill: its index, the operation, and the number of bars.
 * least: the bars that each series must have. No look-back reaches beyond a series, whatever the program says. */
PyObject *native_features(PyObject *module, PyObject *args) {
    Py_buffer program, out;
    PyObject *series, *into;
    int rows, least;
    double *buffers = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*iiO!O", &program, &rows, &least, &PyList_Type, &series, &into))
        return NULL;
    if (PyObject_GetBuffer(into, &out, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) < 0) {
        PyBuffer_Release(&program);
        return NULL;
    }
    Py_ssize_t count = PyList_Size(series), steps = program.len / (Py_ssize_t)(3 * sizeof(int32_t));
    if (out.ndim != 3 || out.itemsize != sizeof(double) || out.format == NULL || strcmp(out.format, "d") != 0 ||
        out.shape[0] != count || out.shape[1] != rows || rows < 1 || least < rows || least > MOST_BARS) {
        PyErr_SetString(PyExc_ValueError, "out is no float64 array (series, rows, width)");
        goto done;
    }
    int width = (int)out.shape[2];
    buffers = PyMem_Malloc((size_t)BUFFERS * MOST_BARS * sizeof(double));
    if (buffers == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t k = 0; k < count; k++) {
        Series s;
        PyObject *values = PyList_GetItem(series, k); /* missing if a buffer's owner in Python has shortened the list */
        if (values == NULL || !load(values, &s, least, buffers))
            goto done;
        s.rows = rows;
        for (Py_ssize_t step = 0; step < steps; step++) {
            int32_t told[3];
            memcpy(told, (const char *)program.buf + step * (Py_ssize_t)sizeof told, sizeof told);
            if (told[0] < 0 || told[0] >= width || told[1] < 0 || told[1] >= OPERATIONS ||
                look_back(told[1], told[2]) > s.bars - rows + 1) {
                PyErr_SetString(PyExc_ValueError, "the program is wrong");
                goto done;
            }
            compute(&s, told[1], told[2], (double *)out.buf + k * rows * width + told[0], width);
        }
    }
done:
    PyMem_Free(buffers);
    PyBuffer_Release(&program);
    PyBuffer_Release(&out);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}
