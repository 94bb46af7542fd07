#include "error.h"

#include <stdarg.h>
#include <stdio.h>

int fail(pya_error *error, int code, uint64_t position, const char *format, ...)
{
    va_list arguments;

    if (error == NULL)
        return code;
    error->code = code;
    error->position = position;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return code;
}
