/* Candles of a JSON body, straight into columns of float64, or its features. Pure ways of all of this are in Python.
 *
 * This reads only what is usual and right: at anything else it gives up (GIVE_UP) and returns None, and the pure way
 * reads the whole body, which it also does for every error. So there are no messages here. What is read gives the same
 * numbers to the bit as the pure way: tests/core/native holds that. */

#include "matrix.h"
#include "native.h"
#include "text.h"

#include <string.h>

#define MOST_CANDLES 2000
#define MOST_COLUMNS 16
#define LEAST_PRICE 1e-12
#define MOST_PRICE 1e12
#define MOST_VOLUME 1e18

enum { OPEN, HIGH, LOW, CLOSE, VOLUME, TIME, FIELDS };
enum { OBJECTS, COLUMNS, ROWS, FEATURES };

#define PRICES 15 /* the bits of open, high, low and close */

/* The field with a name; -1 if there is none. Each begins with its own letter. */
static int field_of(const char *name, int length) {
#define IS(field, text) return length == sizeof text - 1 && memcmp(name, text, sizeof text - 1) == 0 ? field : -1
    switch (length ? *name : 0) {
    case 'o':
        IS(OPEN, "open");
    case 'h':
        IS(HIGH, "high");
    case 'l':
        IS(LOW, "low");
    case 'c':
        IS(CLOSE, "close");
    case 'v':
        IS(VOLUME, "volume");
    case 't':
        IS(TIME, "timestamp");
    default:
        return -1;
    }
#undef IS
}

/* Candles while they are read. cells: those of each column behind each other; `capacity` fit into a column. */
typedef struct {
    double *cells;
    int capacity, count, kinds[MOST_COLUMNS], width, has[FIELDS];
} Sheet;

static int read_field(Text *text, Sheet *sheet, int field, int row) {
    double *cell = &sheet->cells[field * sheet->capacity + row];
    int kind = read_cell(text, cell);
    if (kind == 0 || (kind != NUMBER && field != TIME) || (kind == NUMBER && field == TIME && !as_time(cell)))
        return 0;
    sheet->kinds[field] |= kind;
    return 1;
}

/* How an object is written: in front of each value, the text since the value before it. */
typedef struct {
    const char *before[FIELDS];
    size_t lengths[FIELDS];
    int fields[FIELDS], count;
} Pattern;

/* Any object. Returns the bits of its fields, or 0 to give up. */
static int read_object(Text *text, Sheet *sheet, int row, Pattern *pattern) {
    int found = 0;
    pattern->count = 0;
    pattern->before[0] = text->at;
    if (!next_is(text, '{'))
        return 0;
    do {
        const char *key;
        int length = next_is(text, '"') ? read_key(text, &key) : -1;
        int field = length < 0 ? -1 : field_of(key, length), place = pattern->count++;
        if (field < 0 || found & 1 << field)
            return 0;
        pattern->fields[place] = field;
        pattern->lengths[place] = (size_t)(text->at - pattern->before[place]);
        if (!read_field(text, sheet, field, row))
            return 0;
        found |= 1 << field;
        if (pattern->count < FIELDS)
            pattern->before[pattern->count] = text->at;
    } while (next_is(text, ','));
    return (found & PRICES) == PRICES && next_is(text, '}') ? found : 0;
}

/* An object that is written as another one. Otherwise returns false, and nothing is skipped. */
static int read_alike(Text *text, Sheet *sheet, int row, const Pattern *pattern) {
    Text whole = *text;
    for (int i = 0; i < pattern->count; i++) {
        size_t length = pattern->lengths[i];
        if ((size_t)(text->end - text->at) < length || memcmp(text->at, pattern->before[i], length) != 0)
            goto other;
        text->at += length;
        if (!read_field(text, sheet, pattern->fields[i], row))
            goto other;
    }
    if (next_is(text, '}'))
        return 1;
other:
    *text = whole;
    return 0;
}

/* Objects, behind the first bracket. Most are written as the one before, and names are read only where they are not. */
static int read_objects(Text *text, Sheet *sheet) {
    Pattern pattern = {0};
    int all = 0;
    do {
        int row = sheet->count++, found = all;
        if (row >= sheet->capacity)
            return 0;
        skip_blanks(text);
        if (row == 0 || !read_alike(text, sheet, row, &pattern)) {
            found = read_object(text, sheet, row, &pattern);
            if (!found || (row > 0 && (found ^ all) & 1 << TIME))
                return 0;
        }
        if (!(found & 1 << VOLUME))
            sheet->cells[VOLUME * sheet->capacity + row] = 0.0;
        all = found;
    } while (next_is(text, ','));
    for (int field = 0; field < FIELDS; field++)
        sheet->has[field] = all >> field & 1;
    sheet->has[VOLUME] = 1;
    return next_is(text, ']');
}

/* Columns, behind the brace. */
static int read_columns(Text *text, Sheet *sheet) {
    sheet->count = -1;
    do {
        const char *key;
        int length = next_is(text, '"') ? read_key(text, &key) : -1;
        int field = length < 0 ? -1 : field_of(key, length), count = 0;
        if (field < 0 || sheet->has[field] || !next_is(text, '['))
            return 0;
        do {
            if (count >= sheet->capacity || !read_field(text, sheet, field, count++))
                return 0;
        } while (next_is(text, ','));
        if (!next_is(text, ']') || (sheet->count >= 0 && count != sheet->count))
            return 0;
        sheet->count = count;
        sheet->has[field] = 1;
    } while (next_is(text, ','));
    if (!sheet->has[VOLUME])
        memset(&sheet->cells[VOLUME * sheet->capacity], 0, (size_t)sheet->count * sizeof(double));
    return next_is(text, '}') && sheet->has[OPEN] && sheet->has[HIGH] && sheet->has[LOW] && sheet->has[CLOSE];
}

/* Rows, behind the first bracket. Which column is which field is not known yet. */
static int read_rows(Text *text, Sheet *sheet) {
    do {
        int row = sheet->count++, column = 0;
        if (row >= sheet->capacity || !next_is(text, '['))
            return 0;
        do {
            int kind;
            if (column >= MOST_COLUMNS)
                return 0;
            kind = read_cell(text, &sheet->cells[column * sheet->capacity + row]);
            if (kind == 0)
                return 0;
            sheet->kinds[column++] |= kind;
        } while (next_is(text, ','));
        if (!next_is(text, ']') || (row > 0 && column != sheet->width))
            return 0;
        sheet->width = column;
    } while (next_is(text, ','));
    return next_is(text, ']');
}

/* The column of each field, from the names of the rows' values; -1 if there is none. Returns false to give up. */
static int read_names(Text *text, int width, int columns[FIELDS]) {
    int column = 0;
    for (int field = 0; field < FIELDS; field++)
        columns[field] = -1;
    if (!next_is(text, '['))
        return 0;
    do {
        const char *name, *p;
        int field;
        skip_blanks(text);
        name = text->at + 1;
        if (!next_is(text, '"'))
            return 0;
        for (p = name; p < text->end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20; p++)
            ;
        if (p >= text->end || *p != '"' || p - name > 64)
            return 0;
        text->at = p + 1;
        field = field_of(name, (int)(p - name));
        if (field < 0 || columns[field] >= 0) /* the pure way ignores unknown ones */
            return 0;
        columns[field] = column++;
    } while (next_is(text, ','));
    return next_is(text, ']') && column == width && columns[OPEN] >= 0 && columns[HIGH] >= 0 && columns[LOW] >= 0 &&
           columns[CLOSE] >= 0;
}

/* Whether all candles obey the limits. cells: by field, with `stride` between two of them and `step` between candles. */
static int are_good(const double *cells, int count, int stride, int step) {
    int bad = 0;
    for (int i = 0; i < count; i++) {
        const double *at = cells + (Py_ssize_t)i * step;
        double open = at[OPEN * stride], high = at[HIGH * stride], low = at[LOW * stride], close = at[CLOSE * stride];
        double volume = at[VOLUME * stride];
        /* The comparisons are false for NaN. Low is the least and high the greatest, so only they meet the limits. */
        bad |= !((low >= LEAST_PRICE) & (high <= MOST_PRICE) & (low <= open) & (open <= high) & (low <= close) &
                 (close <= high) & (volume >= 0.0) & (volume <= MOST_VOLUME));
    }
    return !bad;
}

static PyObject *packed(const double *cells, int fields, int count, int stride) {
    PyObject *found = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)fields * count * (Py_ssize_t)sizeof(double));
    if (found != NULL) {
        char *into = PyBytes_AsString(found);
        for (int field = 0; field < fields; field++)
            memcpy(into + (size_t)field * (size_t)count * sizeof(double), cells + (size_t)field * (size_t)stride,
                   (size_t)count * sizeof(double));
    }
    return found;
}

/* Put the columns of rows into the order of the fields. Returns false to give up. */
static int arranged(Sheet *sheet, const int columns[FIELDS], Sheet *found) {
    size_t size = (size_t)sheet->count * sizeof(double);
    found->capacity = found->count = sheet->count;
    for (int field = 0; field < FIELDS; field++) {
        double *into = &found->cells[field * found->capacity];
        int kinds = columns[field] < 0 ? 0 : sheet->kinds[columns[field]];
        found->has[field] = columns[field] >= 0;
        found->kinds[field] = kinds;
        if (columns[field] < 0)
            memset(into, 0, size);
        else
            memcpy(into, &sheet->cells[columns[field] * sheet->capacity], size);
        if (field != TIME && kinds != NUMBER && columns[field] >= 0)
            return 0;
        if (field == TIME && kinds & NUMBER) {
            if (kinds != NUMBER)
                return 0;
            for (int i = 0; i < found->count; i++)
                if (!as_time(&into[i]))
                    return 0;
        }
    }
    return 1;
}

/* The result for candles that were read, or None. */
static PyObject *result(const Sheet *sheet, Py_ssize_t start, Py_ssize_t stop, int form) {
    const double *times = &sheet->cells[TIME * sheet->capacity];
    int kinds = sheet->kinds[TIME];
    if (sheet->count < 1 || !are_good(sheet->cells, sheet->count, sheet->capacity, 1))
        Py_RETURN_NONE;
    if (sheet->has[TIME]) {
        if (kinds & UNZONED && kinds != UNZONED)
            Py_RETURN_NONE;
        for (int i = 1; i < sheet->count; i++)
            if (times[i] <= times[i - 1])
                Py_RETURN_NONE;
    }
    PyObject *values = packed(sheet->cells, VOLUME + 1, sheet->count, sheet->capacity), *stamps;
    if (sheet->has[TIME])
        stamps = packed(times, 1, sheet->count, sheet->capacity);
    else
        stamps = Py_NewRef(Py_None);
    if (values == NULL || stamps == NULL) {
        Py_XDECREF(values);
        Py_XDECREF(stamps);
        return NULL;
    }
    return Py_BuildValue("nniNN", start, stop, form, values, stamps);
}

static PyObject *read_body(const char *begin, Py_ssize_t size) {
    Text text = {begin, begin + size, "", 0.0, 0}, names = {NULL, NULL, "", 0.0, 0};
    Sheet sheet = {0};
    Matrix matrix = {0};
    Py_ssize_t start = -1, stop = 0;
    int form = OBJECTS, good = 0;
    PyObject *found = NULL;
    /* The shortest candle of each form: a row has no names. */
    Py_ssize_t most = size / 8 + 1;
    sheet.capacity = most < MOST_CANDLES ? (int)most : MOST_CANDLES;
    sheet.cells = PyMem_Malloc((size_t)MOST_COLUMNS * (size_t)sheet.capacity * sizeof(double));
    if (sheet.cells == NULL)
        return PyErr_NoMemory();
    if (!next_is(&text, '{'))
        goto done;
    do {
        const char *key;
        int length = next_is(&text, '"') ? read_key(&text, &key) : -1;
        if (length < 0)
            goto done;
        skip_blanks(&text);
        if (length == 4 && memcmp(key, "data", 4) == 0) {
            if (start >= 0)
                goto done;
            start = text.at - begin;
            if (next_is(&text, '{')) {
                form = COLUMNS;
                good = read_columns(&text, &sheet);
            } else if (next_is(&text, '[')) {
                skip_blanks(&text);
                form = text.at < text.end && *text.at == '[' ? ROWS : OBJECTS;
                good = form == ROWS ? read_rows(&text, &sheet) : read_objects(&text, &sheet);
            }
            if (!good)
                goto done;
            stop = text.at - begin;
        } else if (length == 8 && memcmp(key, "features", 8) == 0 && text.at < text.end && *text.at != 'n') {
            if (start >= 0) /* they win over candles */
                goto done;
            start = text.at - begin;
            form = FEATURES;
            good = read_matrix(&text, &matrix);
            if (!good)
                goto done;
            stop = text.at - begin;
        } else {
            if (length == 7 && memcmp(key, "columns", 7) == 0) {
                if (names.at != NULL)
                    goto done;
                names = text;
            }
            if (!skip_value(&text))
                goto done;
        }
    } while (next_is(&text, ','));
    good = good && next_is(&text, '}') && start >= 0;
    if (good && form == ROWS) {
        int columns[FIELDS];
        Sheet rows = sheet;
        sheet = (Sheet){0};
        sheet.cells = PyMem_Malloc((size_t)FIELDS * (size_t)rows.count * sizeof(double));
        good = sheet.cells != NULL && names.at != NULL && read_names(&names, rows.width, columns) &&
               arranged(&rows, columns, &sheet);
        PyMem_Free(rows.cells);
        if (sheet.cells == NULL)
            return PyErr_NoMemory();
    }
    if (good && form == FEATURES)
        found = Py_BuildValue("nniy#i", start, stop, form, (const char *)matrix.cells,
                              matrix.count * (Py_ssize_t)sizeof(double), matrix.rows);
    else if (good)
        found = result(&sheet, start, stop, form);
done:
    PyMem_Free(matrix.cells);
    PyMem_Free(sheet.cells);
    if (found == NULL && !PyErr_Occurred())
        Py_RETURN_NONE;
    return found;
}

PyObject *native_body(PyObject *module, PyObject *body) {
    Py_buffer view;
    PyObject *found;
    (void)module;
    if (PyObject_GetBuffer(body, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    found = read_body(view.buf, view.len);
    PyBuffer_Release(&view);
    return found;
}

/* Candles (n, 5) as bytes of float64, checked, as bytes (5, n); None if the pure way must find what is wrong. */
PyObject *native_bars(PyObject *module, PyObject *rows) {
    const Py_ssize_t size = (VOLUME + 1) * sizeof(double);
    Py_buffer view;
    PyObject *found = NULL;
    (void)module;
    if (PyObject_GetBuffer(rows, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    int count = view.len % size == 0 && view.len / size <= MOST_CANDLES ? (int)(view.len / size) : 0;
    if (count > 0 && (found = PyBytes_FromStringAndSize(NULL, view.len)) != NULL) {
        double *into = (double *)PyBytes_AsString(found), row[VOLUME + 1];
        for (int i = 0; i < count; i++) {
            memcpy(row, (const char *)view.buf + i * size, sizeof row); /* its place need not be aligned */
            for (int field = 0; field <= VOLUME; field++)
                into[field * count + i] = row[field];
        }
        if (!are_good(into, count, count, 1))
            Py_CLEAR(found);
    }
    PyBuffer_Release(&view);
    if (found == NULL && !PyErr_Occurred())
        Py_RETURN_NONE;
    return found;
}
