/*
 * libkmod as its C users have it: the contender that all ratios are taken against.
 *
 * The prototypes are written out so that the library alone is needed, not its development package.
 * There is no setlocale() here or in libkmod: the caller sees to it that the process runs in the C
 * locale, as modprobe and udev do, and asks multibyte_limit() for proof.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct kmod_ctx;
struct kmod_list;
struct kmod_module;

struct kmod_ctx *kmod_new(const char *directory, const char *const *configuration_paths);
struct kmod_ctx *kmod_unref(struct kmod_ctx *context);
int kmod_load_resources(struct kmod_ctx *context);
int kmod_module_new_from_lookup(struct kmod_ctx *context, const char *alias, struct kmod_list **list);
struct kmod_list *kmod_list_next(const struct kmod_list *list, const struct kmod_list *current);
struct kmod_module *kmod_module_get_module(const struct kmod_list *entry);
const char *kmod_module_get_name(const struct kmod_module *module);
struct kmod_module *kmod_module_unref(struct kmod_module *module);
int kmod_module_unref_list(struct kmod_list *list);

/* 1 in the C locale; more means that fnmatch() converts every string to wide characters. */
size_t multibyte_limit(void)
{
    return MB_CUR_MAX;
}

/* A context with its indexes mapped and no modprobe.d configuration, or NULL. Free with close_libkmod(). */
struct kmod_ctx *open_libkmod(const char *modules_directory)
{
    static const char *const no_configuration[] = {NULL};
    struct kmod_ctx *context = kmod_new(modules_directory, no_configuration);

    if (context != NULL && kmod_load_resources(context) < 0)
        return kmod_unref(context);
    return context;
}

void close_libkmod(struct kmod_ctx *context)
{
    kmod_unref(context);
}

/* Looks every device up and walks every answer: the number of module names seen, or libkmod's error. */
long look_up_all(struct kmod_ctx *context, const char *const *devices, size_t count)
{
    long names = 0;

    for (size_t i = 0; i < count; i++) {
        struct kmod_list *list = NULL;
        int status = kmod_module_new_from_lookup(context, devices[i], &list);

        if (status < 0)
            return status;
        for (struct kmod_list *entry = list; entry != NULL; entry = kmod_list_next(list, entry)) {
            struct kmod_module *module = kmod_module_get_module(entry);

            names += kmod_module_get_name(module)[0] != '\0';
            kmod_module_unref(module);
        }
        kmod_module_unref_list(list);
    }
    return names;
}

/* Writes every answer to a file, one line a device, each name followed by a blank: 0, or libkmod's error. */
int write_answers(struct kmod_ctx *context, const char *const *devices, size_t count, const char *path)
{
    FILE *file = fopen(path, "w");
    int status = file == NULL ? -1 : 0;

    for (size_t i = 0; i < count && status >= 0; i++) {
        struct kmod_list *list = NULL;

        status = kmod_module_new_from_lookup(context, devices[i], &list);
        for (struct kmod_list *entry = list; entry != NULL; entry = kmod_list_next(list, entry)) {
            struct kmod_module *module = kmod_module_get_module(entry);

            fprintf(file, "%s ", kmod_module_get_name(module));
            kmod_module_unref(module);
        }
        fputc('\n', file);
        kmod_module_unref_list(list);
    }
    if (file != NULL && fclose(file) != 0)
        status = -1;
    return status < 0 ? status : 0;
}
