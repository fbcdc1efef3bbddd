#include "main/outgoing.h"

#include "main/post.h"
#include "main/server.h"

enum { GRACE_MS = 500 };

static int open_senders(struct server *server, struct failure *failure)
{
    struct outgoing *outgoing = &server->outgoing;
    struct outbox_warehouse_config warehouse = {
        .transfers = outgoing->transfers,
        .view = &outgoing->view,
        .secret = server->dir.secret,
        .crash = server->choice.crash,
    };
    if (outbox_bank_new(server->bank, &outgoing->view, server->choice.crash, &outgoing->bank) ||
        outbox_warehouse_new(&warehouse, &outgoing->warehouse))
        return fail(failure, ERR_NOMEM, "no memory for the outbox's senders");
    return 0;
}

static int start(struct server *server, struct failure *failure)
{
    struct outgoing *outgoing = &server->outgoing;
    struct outbox_config config = {
        .order = replica_order(server->replica),
        .view = outgoing->view,
        .bank = outbox_bank_sender(outgoing->bank),
        .warehouse = outbox_warehouse_sender(outgoing->warehouse),
        .webhook = post_webhook(outgoing->post),
        .mail = post_mail(outgoing->post),
        .crash = server->choice.crash,
        .log = &server->log,
    };
    int err = outbox_start(&config, &outgoing->outbox, failure);
    atomic_store(&outgoing->awake, outgoing->outbox);
    return err;
}

int outgoing_open(struct server *server, struct failure *failure)
{
    struct outgoing *outgoing = &server->outgoing;
    if (transfers_new(&(struct transfers_config){0}, &outgoing->transfers))
        return fail(failure, ERR_NOMEM, "no memory for requests to the world outside");
    int err = outbox_view_open(server->dir.database, &outgoing->view, failure);
    struct post_config post = {
        .settings = server->settings, .dir = &server->dir, .log = &server->log};
    err = err ? err : open_senders(server, failure);
    err = err ? err : post_open(&post, &outgoing->post, failure);
    return err ? err : start(server, failure);
}

void outgoing_wake(struct outgoing *outgoing)
{
    outbox_wake(atomic_load(&outgoing->awake));
}

void outgoing_stop(struct outgoing *outgoing)
{
    outbox_stop(outgoing->outbox);
}

void outgoing_close(struct outgoing *outgoing)
{
    atomic_store(&outgoing->awake, NULL);
    if (outgoing->transfers)
        transfers_free(outgoing->transfers, GRACE_MS);
    post_stop(outgoing->post);
    outbox_free(outgoing->outbox);
    post_free(outgoing->post);
    outbox_warehouse_free(outgoing->warehouse);
    outbox_bank_free(outgoing->bank);
    outbox_view_close(&outgoing->view);
}
