/* One series, and what several of its features share: each is computed when the first one needs it. */

#ifndef SERIES_H
#define SERIES_H

#include "rolling.h"

#define MOVEMENT_BARS 14
#define BAND_BARS 20

/* Buffers of one series. Each has a value for every bar, unless its comment says otherwise. */
typedef struct {
    int bars, rows;
    double *open, *high, *low, *close, *volume;
    double *plus, *minus, *gain, *loss, *range; /* movements since the bar before */
    double *sums[5];                            /* of the movements over 14 bars; from bar 13 on */
    double *fast, *slow, *macd, *signal;        /* of the whole series */
    double *middle, *deviation, *unit;          /* of the last rows */
    double *one, *two, *three, *four;           /* free for all */
    int has_movements, has_sums, has_macd, has_signal, has_middle, has_deviation, has_unit;
} Series;

static void need_movements(Series *s) {
    if (s->has_movements)
        return;
    s->has_movements = 1;
    for (int i = 0; i < s->bars; i++) {
        int before = i ? i - 1 : 0; /* the first bar is its own predecessor */
        double up = larger(s->high[i] - s->high[before], 0.0), down = larger(-s->low[i] - -s->low[before], 0.0);
        double change = s->close[i] - s->close[before], gain = larger(change, 0.0);
        s->gain[i] = gain;
        s->loss[i] = gain - change;
        s->range[i] = larger(s->high[i], s->close[before]) + larger(-s->low[i], -s->close[before]);
        s->plus[i] = up <= down ? 0.0 : up;
        s->minus[i] = down <= up ? 0.0 : down;
    }
}

/* sums[k][i] is of the 14 bars from bar i on. */
static void need_sums(Series *s) {
    if (s->has_sums)
        return;
    need_movements(s);
    s->has_sums = 1;
    double *of[5] = {s->plus, s->minus, s->gain, s->loss, s->range};
    int bars = s->rows + 2 * (MOVEMENT_BARS - 1); /* no feature needs older ones */
    int first = s->bars > bars ? s->bars - bars : 0;
    for (int k = 0; k < 5; k++)
        rolling_sum(of[k] + first, s->bars - first, MOVEMENT_BARS, s->sums[k] + first, s->one);
}

static void need_macd(Series *s) {
    if (s->has_macd)
        return;
    s->has_macd = 1;
    ema(s->close, s->bars, 12, s->fast);
    ema(s->close, s->bars, 26, s->slow);
    for (int i = 0; i < s->bars; i++)
        s->macd[i] = s->fast[i] - s->slow[i];
}

static void need_signal(Series *s) {
    if (s->has_signal)
        return;
    need_macd(s);
    s->has_signal = 1;
    ema(s->macd, s->bars, 9, s->signal);
}

static const double *last(const Series *s, const double *x, int before) { return x + s->bars - s->rows - before; }

static void need_middle(Series *s) {
    if (s->has_middle)
        return;
    s->has_middle = 1;
    rolling_mean(last(s, s->close, BAND_BARS - 1), s->rows + BAND_BARS - 1, BAND_BARS, s->middle, s->one);
}

static void need_deviation(Series *s) {
    if (s->has_deviation)
        return;
    need_middle(s);
    s->has_deviation = 1;
    rolling_std(last(s, s->close, BAND_BARS - 1), s->rows, BAND_BARS, s->middle, s->deviation);
}

/* The mean of the true range over n bars, of the last rows. */
static void atr(Series *s, int n, double *found, double *spare) {
    need_movements(s);
    rolling_mean(last(s, s->range, n - 1), s->rows + n - 1, n, found, spare);
}

static void need_unit(Series *s) {
    if (s->has_unit)
        return;
    s->has_unit = 1;
    atr(s, MOVEMENT_BARS, s->unit, s->one);
    for (int row = 0; row < s->rows; row++)
        if (s->unit[row] == 0.0)
            s->unit[row] = INFINITY;
}

/* The highest high (one) and the negated lowest low (two) over n bars, of the last `rows` bars. */
static void extremes(Series *s, int rows, int n) {
    int bars = rows + n - 1;
    const double *low = s->low + s->bars - bars;
    rolling_max(s->high + s->bars - bars, bars, n, s->one);
    for (int i = 0; i < bars; i++)
        s->three[i] = -low[i];
    rolling_max(s->three, bars, n, s->two);
}

/* The stochastic of the last `rows` bars. */
static void stochastic(Series *s, int rows, int n, double *found) {
    const double *close = s->close + s->bars - rows;
    extremes(s, rows, n);
    for (int i = 0; i < rows; i++)
        found[i] = ratio(100.0 * (close[i] + s->two[i]), s->one[i] + s->two[i], 50.0);
}

#endif
