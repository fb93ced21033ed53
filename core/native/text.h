/* The parts of a JSON text that candles are made of: numbers and times. Functions return false, or 0, to give up. */

#ifndef TEXT_H
#define TEXT_H

#include "native.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define MOST_NUMBER 64 /* characters of a number */
#define MILLISECONDS_FROM 1e11
#define LATEST 253402300799999.0

/* The kinds of a cell. */
enum { NUMBER = 1, ZONED = 2, UNZONED = 4 };

static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The text that is left, and the date that was read last: neighbours mostly share it. */
typedef struct {
    const char *at, *end;
    char date[10];
    double day;
    int knows_date;
} Text;

static inline void skip_blanks(Text *text) {
    while (text->at < text->end &&
           (*text->at == ' ' || *text->at == '\n' || *text->at == '\r' || *text->at == '\t'))
        text->at++;
}

/* Skip blanks; whether the next character is this one, which is then skipped as well. */
static inline int next_is(Text *text, char wanted) {
    skip_blanks(text);
    if (text->at >= text->end || *text->at != wanted)
        return 0;
    text->at++;
    return 1;
}

static inline int is_digit(char c) { return c >= '0' && c <= '9'; }

/* A number that is not negative. The text ends within the body or at its end, never beyond. Returns false to give up. */
static inline int read_number(Text *text, double *value) {
    const char *p = text->at, *end = text->end, *begin = p;
    uint64_t digits = 0;
    int significant = 0, exponent = 0;
    if (p >= end || !is_digit(*p))
        return 0;
    if (*p == '0' && p + 1 < end && is_digit(p[1]))
        return 0;
    for (; p < end && is_digit(*p); p++) {
        digits = digits * 10 + (uint64_t)(*p - '0'); /* an overflow is not used: see `significant` */
        significant += significant || *p != '0';
    }
    if (p < end && *p == '.') {
        const char *point = p++;
        for (; p < end && is_digit(*p); p++) {
            digits = digits * 10 + (uint64_t)(*p - '0');
            significant += significant || *p != '0';
        }
        if (p == point + 1 || p - begin > MOST_NUMBER)
            return 0;
        exponent = (int)(point + 1 - p);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        int negative = 0, power = 0;
        const char *first;
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            negative = *p++ == '-';
        for (first = p; p < end && is_digit(*p); p++) {
            if (p - first >= 4)
                return 0;
            power = power * 10 + (*p - '0');
        }
        if (p == first)
            return 0;
        exponent += negative ? -power : power;
    }
    if (p - begin > MOST_NUMBER)
        return 0;
    text->at = p;
    /* Both operands are exact, so the one rounding of the result is the right one (Clinger, 1990). */
    if (significant <= 19 && digits <= (UINT64_C(1) << 53) && exponent >= -22 && exponent <= 22) {
        *value = exponent < 0 ? (double)digits / POWERS[-exponent] : (double)digits * POWERS[exponent];
        return 1;
    }
    char copy[MOST_NUMBER + 1];
    memcpy(copy, begin, (size_t)(p - begin));
    copy[p - begin] = 0;
    *value = PyOS_string_to_double(copy, NULL, NULL);
    if (*value == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    return isfinite(*value);
}

static inline int two_digits(const char *p) {
    return is_digit(p[0]) && is_digit(p[1]) ? (p[0] - '0') * 10 + (p[1] - '0') : -1;
}

/* The milliseconds of the date YYYY-MM-DD since 1970. Returns false if it is none. */
static inline int read_date(const char *p, double *milliseconds) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int century = two_digits(p), years = two_digits(p + 2), month = two_digits(p + 5), day = two_digits(p + 8);
    if (century < 0 || years < 0 || p[4] != '-' || p[7] != '-' || month < 1 || month > 12 || day < 1)
        return 0;
    int year = century * 100 + years;
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 1 || day > lengths[month - 1] + (month == 2 && leap))
        return 0;
    /* Days since 0000-03-01, so that the leap day is the last one of a year. */
    int from_march = year - (month <= 2), shifted = month + (month > 2 ? -3 : 9);
    int days = from_march * 365 + from_march / 4 - from_march / 100 + from_march / 400;
    days += (153 * shifted + 2) / 5 + day - 1 - 719468;
    *milliseconds = days * 86400000.0;
    return 1;
}

/* A time such as 2025-10-16T09:00:00.000Z behind its quotation mark, in milliseconds since 1970. Returns its kind, or 0
 * to give up. */
static inline int read_time(Text *text, double *value) {
    const char *p = text->at;
    int kind = UNZONED, milliseconds = 0;
    if (text->end - p < 20) /* the quotation mark included */
        return 0;
    if (!text->knows_date || memcmp(p, text->date, sizeof text->date) != 0) {
        if (!read_date(p, &text->day))
            return 0;
        memcpy(text->date, p, sizeof text->date);
        text->knows_date = 1;
    }
    int hour = two_digits(p + 11), minute = two_digits(p + 14), second = two_digits(p + 17);
    if ((p[10] != 'T' && p[10] != ' ') || p[13] != ':' || p[16] != ':' || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 59)
        return 0;
    p += 19;
    if (*p == '.') {
        if (text->end - p < 5 || two_digits(p + 1) < 0 || !is_digit(p[3]))
            return 0;
        milliseconds = two_digits(p + 1) * 10 + (p[3] - '0');
        p += 4;
    }
    if (*p == 'Z') {
        kind = ZONED;
        p++;
    } else if (text->end - p > 6 && memcmp(p, "+00:00", 6) == 0) {
        kind = ZONED;
        p += 6;
    }
    if (p >= text->end || *p != '"')
        return 0;
    text->at = p + 1;
    *value = text->day + ((hour * 60 + minute) * 60 + second) * 1000.0 + milliseconds;
    return kind;
}

/* A number or a time. Returns its kind, or 0 to give up. */
static inline int read_cell(Text *text, double *value) {
    skip_blanks(text);
    if (text->at < text->end && *text->at == '"') {
        text->at++;
        return read_time(text, value);
    }
    return read_number(text, value) ? NUMBER : 0;
}

/* A number that is a time, as milliseconds since 1970. Returns false to give up. */
static inline int as_time(double *value) {
    if (*value >= MILLISECONDS_FROM)
        return *value <= LATEST;
    if (*value != floor(*value))
        return 0;
    *value *= 1000.0;
    return 1;
}

/* The name of a key behind its quotation mark, with the colon. Returns its length, or -1 to give up: at an escape. */
static inline int read_key(Text *text, const char **key) {
    const char *p = *key = text->at;
    while (p < text->end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    if (p >= text->end || *p != '"' || p - *key > 1000)
        return -1;
    text->at = p + 1;
    return next_is(text, ':') ? (int)(p - *key) : -1;
}

static inline int skip_string(Text *text) {
    for (; text->at < text->end; text->at++) {
        if (*text->at == '"') {
            text->at++;
            return 1;
        }
        if (*text->at == '\\' && ++text->at == text->end)
            return 0;
    }
    return 0;
}

/* Any value. It is not checked, because the decoder of the rest reads it. Returns false to give up. */
static inline int skip_value(Text *text) {
    int depth = 0;
    do {
        skip_blanks(text);
        if (text->at >= text->end)
            return 0;
        char c = *text->at;
        if (c == '"') {
            text->at++;
            if (!skip_string(text))
                return 0;
        } else if (c == '{' || c == '[') {
            depth++;
            text->at++;
        } else if (c == '}' || c == ']') {
            depth--;
            text->at++;
        } else if (c == ',' || c == ':') {
            if (depth == 0)
                return 0;
            text->at++;
        } else {
            const char *begin = text->at;
            while (text->at < text->end && (is_digit(*text->at) || (*text->at >= 'a' && *text->at <= 'z') ||
                                            *text->at == 'E' || *text->at == '-' || *text->at == '+' || *text->at == '.'))
                text->at++;
            if (text->at == begin)
                return 0;
        }
    } while (depth > 0);
    return depth == 0;
}

#endif
