/* The record of votes: one vote in a term, kept over anything. */
#include "folder_fixture.h"
#include "replica/vote.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char dir[FOLDER_PATH], file[FOLDER_PATH + 8];
};

static void make_place(struct place *place)
{
    folder_make(place->dir);
    snprintf(place->file, sizeof place->file, "%s/vote", place->dir);
}

static void votes_are_kept(void **state)
{
    (void)state;
    struct place place;
    struct vote vote;
    struct failure failure;
    make_place(&place);
    assert_int_equal(vote_open(&vote, place.file, &failure), 0);
    assert_int_equal(vote.term, 0);
    for (uint64_t term = 1; term < 20; term++) {
        assert_int_equal(vote_set_term(&vote, term, &failure), 0);
        assert_int_equal(vote.candidate, 0);
        assert_int_equal(vote_set_candidate(&vote, term % 3 + 1, &failure), 0);
        vote_close(&vote);
        assert_int_equal(vote_open(&vote, place.file, &failure), 0);
        assert_int_equal(vote.term, term);
        assert_int_equal(vote.candidate, term % 3 + 1);
    }
    vote_close(&vote);
    folder_remove(place.dir);
}

static void nobody_gets_a_second_vote_in_a_term(void **state)
{
    (void)state;
    struct place place;
    struct vote vote;
    struct failure failure;
    make_place(&place);
    assert_int_equal(vote_open(&vote, place.file, &failure), 0);
    assert_int_equal(vote_set_term(&vote, 7, &failure), 0);
    assert_int_equal(vote_set_candidate(&vote, 2, &failure), 0);
    assert_int_equal(vote_set_candidate(&vote, 2, &failure), 0); /* the same again is fine */
    assert_int_equal(vote_set_candidate(&vote, 3, &failure), ERR_STATE);
    assert_int_equal(vote_set_term(&vote, 7, &failure), 0); /* does not forget the vote */
    assert_int_equal(vote_set_candidate(&vote, 3, &failure), ERR_STATE);
    assert_int_equal(vote_set_term(&vote, 6, &failure), ERR_STATE);
    assert_int_equal(vote_set_term(&vote, 8, &failure), 0);
    assert_int_equal(vote_set_candidate(&vote, 3, &failure), 0);
    vote_close(&vote);
    folder_remove(place.dir);
}

static void a_term_goes_to_disk_with_its_vote(void **state)
{
    (void)state;
    struct place place;
    struct vote vote, found;
    struct failure failure;
    make_place(&place);
    assert_int_equal(vote_open(&vote, place.file, &failure), 0);
    uint64_t version = vote.version;
    assert_int_equal(vote_begin_term(&vote, 7, &failure), 0);
    assert_int_equal(vote.version, version); /* not written yet, but it counts */
    assert_int_equal(vote_begin_term(&vote, 6, &failure), ERR_STATE);
    assert_int_equal(vote_set_candidate(&vote, 2, &failure), 0);
    assert_int_equal(vote.version, version + 1);
    assert_int_equal(vote_keep(&vote, &failure), 0); /* nothing is left to be written */
    assert_int_equal(vote.version, version + 1);
    assert_int_equal(vote_begin_term(&vote, 8, &failure), 0);
    assert_int_equal(vote_set_candidate(&vote, 0, &failure), 0); /* a term without a vote */
    assert_int_equal(vote_open(&found, place.file, &failure), 0);
    assert_int_equal(found.term, 8);
    assert_int_equal(found.candidate, 0);
    vote_close(&found);
    assert_int_equal(vote_begin_term(&vote, 9, &failure), 0);
    assert_int_equal(vote_keep(&vote, &failure), 0);
    vote_close(&vote);
    assert_int_equal(vote_open(&vote, place.file, &failure), 0);
    assert_int_equal(vote.term, 9);
    vote_close(&vote);
    folder_remove(place.dir);
}

static void spoil(const struct place *place, off_t offset)
{
    int fd = open(place->file, O_RDWR);
    assert_int_equal(pwrite(fd, "spoiled", 7, offset + 20), 7);
    close(fd);
}

static void a_torn_slot_leaves_the_one_before(void **state)
{
    (void)state;
    struct place place;
    struct vote vote;
    struct failure failure;
    make_place(&place);
    assert_int_equal(vote_open(&vote, place.file, &failure), 0); /* version 1, second slot */
    assert_int_equal(vote_set_term(&vote, 5, &failure), 0);      /* 2, first slot */
    assert_int_equal(vote_set_candidate(&vote, 9, &failure), 0); /* 3, second slot */
    vote_close(&vote);
    spoil(&place, 512);
    assert_int_equal(vote_open(&vote, place.file, &failure), 0);
    assert_int_equal(vote.term, 5);
    assert_int_equal(vote.candidate, 0);
    vote_close(&vote);
    spoil(&place, 0);
    assert_int_equal(vote_open(&vote, place.file, &failure), ERR_DAMAGED);
    folder_remove(place.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(votes_are_kept),
        cmocka_unit_test(nobody_gets_a_second_vote_in_a_term),
        cmocka_unit_test(a_term_goes_to_disk_with_its_vote),
        cmocka_unit_test(a_torn_slot_leaves_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
