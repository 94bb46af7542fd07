/*
 * Numbers for answers: the stored ones keep the ids that the image gives them, further ones get the
 * next. Answers are equal when their modules are, whichever lines name them.
 */
#include <stdlib.h>

#include "image.h"
#include "intern.h"

struct pya_answers {
    const pya_image *image;
    struct interner known;   /* module ids, as bytes of numbers in this machine's order */
    uint32_t *first_stored;  /* of the stored ones known: the first that is so */
    uint32_t stored_known;   /* how many of the known ones are stored */
    struct bytes_vector key; /* the one in the making */
};

static uint32_t stored(const pya_answers *answers)
{
    return answers->image->count[SECTION_ANSWERS];
}

/* The number in `known` of the modules in `key`. */
static uint32_t intern_key(pya_answers *answers)
{
    return answers->key.failed ? INTERN_FAILED
                               : intern(&answers->known, answers->key.data, answers->key.size);
}

static bool know_stored(pya_answers *answers)
{
    for (uint32_t id = 0; id < stored(answers); id++) {
        uint32_t count = pya_image_answer(answers->image, id, NULL, 0), known;
        uint8_t *room;
        answers->key.size = 0;
        room = bytes_extend(&answers->key, (size_t)count * sizeof count);
        if (answers->key.failed)
            return false;
        pya_image_answer(answers->image, id, (uint32_t *)(void *)room, count);
        known = intern_key(answers);
        if (known == INTERN_FAILED)
            return false;
        if (known == answers->stored_known)
            answers->first_stored[answers->stored_known++] = id;
    }
    return true;
}

pya_answers *pya_answers_new(const pya_image *image)
{
    pya_answers *answers = calloc(1, sizeof *answers);

    if (answers == NULL)
        return NULL;
    answers->image = image;
    answers->first_stored = malloc(((size_t)stored(answers) + 1) * sizeof *answers->first_stored);
    if (answers->first_stored == NULL || !know_stored(answers)) {
        pya_answers_free(answers);
        return NULL;
    }
    return answers;
}

void pya_answers_free(pya_answers *answers)
{
    if (answers == NULL)
        return;
    intern_free(&answers->known);
    bytes_free(&answers->key);
    free(answers->first_stored);
    free(answers);
}

uint32_t pya_answers_count(const pya_answers *answers)
{
    return stored(answers) + answers->known.count - answers->stored_known;
}

int64_t pya_answers_number(pya_answers *answers, const uint32_t *lines, uint32_t count)
{
    uint32_t known;

    answers->key.size = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t module = pya_image_line_module(answers->image, lines[i]);
        bytes_push(&answers->key, &module, sizeof module);
    }
    known = intern_key(answers);
    if (known == INTERN_FAILED)
        return PYA_ENOMEM;
    return known < answers->stored_known ? answers->first_stored[known]
                                         : stored(answers) + (known - answers->stored_known);
}

int64_t pya_answers_number_last(pya_answers *answers, const pya_scratch *scratch)
{
    const uint32_t *lines;
    uint32_t count = pya_scratch_lines(scratch, &lines);

    return pya_answers_number(answers, lines, count);
}

uint32_t pya_answers_modules(const pya_answers *answers, uint32_t answer, uint32_t *modules, uint32_t room)
{
    const struct interned *known;
    uint32_t count;

    if (answer < stored(answers))
        return pya_image_answer(answers->image, answer, modules, room);
    known = &answers->known.strings[answer - stored(answers) + answers->stored_known];
    count = known->length / (uint32_t)sizeof count;
    memcpy(modules, answers->known.text.data + known->offset, (count < room ? count : room) * sizeof count);
    return count;
}
