/* Sums, means and the like over windows of bars, as core/features/indicators.py defines them. */

#ifndef ROLLING_H
#define ROLLING_H

#include <math.h>
#include <string.h>

/* As NumPy's maximum: NaN if one of them is. */
static inline double larger(double a, double b) { return a > b || a != a ? a : b; }
static inline double smaller(double a, double b) { return a < b || a != a ? a : b; }
static inline double ratio(double a, double b, double otherwise) { return b == 0.0 ? otherwise : a / b; }

/* Sums of each window of n bars: x of `bars`, found of bars - n + 1. As rolling_sum: from sums of 1, 2, 4... bars, the
 * shortest first. `spare` has as many places as x. */
static void rolling_sum(const double *restrict x, int bars, int n, double *restrict found, double *restrict spare) {
    int count = bars - n + 1, offset = 0, width = 1, length = bars;
    memcpy(spare, x, (size_t)bars * sizeof(double));
    for (;;) {
        if (n & width) {
            if (offset == 0)
                memcpy(found, spare, (size_t)count * sizeof(double));
            else
                for (int i = 0; i < count; i++)
                    found[i] = found[i] + spare[i + offset];
            offset += width;
        }
        if (2 * width > n)
            return;
        for (int i = 0; i < length - width; i++) /* in place: what is read lies ahead of what is written */
            spare[i] = spare[i] + spare[i + width];
        length -= width;
        width *= 2;
    }
}

/* The greatest value of each window of n bars. */
static void rolling_max(const double *x, int bars, int n, double *found) {
    int width = 1, length = bars;
    memcpy(found, x, (size_t)bars * sizeof(double));
    for (; 2 * width <= n; width *= 2) {
        for (int i = 0; i < length - width; i++)
            found[i] = larger(found[i], found[i + width]);
        length -= width;
    }
    for (int i = 0, rest = n - width; rest && i < length - rest; i++)
        found[i] = larger(found[i], found[i + rest]);
}

/* The sample standard deviation of each window of n bars around its mean, `rows` of them. */
static void rolling_std(const double *x, int rows, int n, const double *mean, double *found) {
    for (int row = 0; row < rows; row++)
        found[row] = 0.0;
    for (int k = 0; k < n; k++)
        for (int row = 0; row < rows; row++) {
            double from_mean = x[row + k] - mean[row];
            double square = from_mean * from_mean;
            found[row] = k ? found[row] + square : square;
        }
    for (int row = 0; row < rows; row++)
        found[row] = sqrt(found[row] / (n - 1));
}

static void ema(const double *x, int bars, int n, double *found) {
    double alpha = 2.0 / (n + 1), mean = x[0];
    found[0] = mean;
    for (int i = 1; i < bars; i++)
        found[i] = mean = mean + alpha * (x[i] - mean);
}

static void rolling_mean(const double *x, int bars, int n, double *found, double *spare) {
    rolling_sum(x, bars, n, found, spare);
    for (int i = 0; i < bars - n + 1; i++)
        found[i] = found[i] / n;
}

#endif
