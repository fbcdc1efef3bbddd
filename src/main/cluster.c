#include "main/cluster.h"

#include "base/buf.h"
#include "base/clock.h"
#include "main/file.h"
#include "main/listening.h"
#include "net/authority.h"
#include "net/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

enum { JSON_MAX = 64 << 10 };

int cluster_check_name(const char *name, struct failure *failure)
{
    size_t len = strlen(name);
    bool good = len > 0 && len < CLUSTER_NAME;
    for (const char *c = name; *c; c++)
        good = good && ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                        (*c >= '0' && *c <= '9') || strchr(" -_.", *c));
    return good ? 0
                : fail(failure, ERR_INVALID,
                       "the name \"%.80s\" must be 1 to %d letters, digits, blanks, - _ or .", name,
                       CLUSTER_NAME - 1);
}

int cluster_reach(const char *listen, const char *given, char out[SERVER_ADDRESS],
                  struct failure *failure)
{
    const char *address = given[0] ? given : listen;
    struct str host;
    uint16_t port;
    int err = endpoint_split(str_of(listen), &host, &port, failure);
    err = err ? err : endpoint_split(str_of(address), &host, &port, failure);
    if (err)
        return err;
    if (port == 0 || strlen(address) >= SERVER_ADDRESS)
        return fail(failure, ERR_INVALID, "\"%.80s\" needs a port, which stays the same", address);
    if (listening_is_everywhere(address))
        return fail(failure, ERR_INVALID,
                    "the other servers cannot connect to \"%s\": say by --peer-address HOST:PORT "
                    "how they reach this server",
                    address);
    str_copy(out, SERVER_ADDRESS, str_of(address));
    return 0;
}

int cluster_paths(const char *datadir, struct cluster *cluster, struct failure *failure)
{
    *cluster = (struct cluster){0};
    int err = file_join(cluster->dir, datadir, "cluster", failure);
    err = err ? err : file_join(cluster->certificate, cluster->dir, "server.pem", failure);
    err = err ? err : file_join(cluster->key, cluster->dir, "server.key", failure);
    err = err ? err : file_join(cluster->authority, cluster->dir, "authority.pem", failure);
    err = err ? err : file_join(cluster->authority_key, cluster->dir, "authority.key", failure);
    return err ? err : file_join(cluster->book, cluster->dir, "book", failure);
}

/* ---- cluster.json ---- */

static bool take_text(yyjson_val *object, const char *name, char *out, size_t size)
{
    const char *text = yyjson_get_str(yyjson_obj_get(object, name));
    if (!text || strlen(text) >= size)
        return false;
    strcpy(out, text);
    return true;
}

static bool take_founders(yyjson_val *list, struct cluster *cluster)
{
    size_t at, count;
    yyjson_val *each;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > CLUSTER_SERVERS_MAX)
        return false;
    yyjson_arr_foreach(list, at, count, each)
    {
        struct server_place *place = &cluster->founders[at];
        place->id = yyjson_get_uint(yyjson_obj_get(each, "id"));
        if (place->id == 0 || !take_text(each, "address", place->address, sizeof place->address))
            return false;
    }
    cluster->founder_count = (unsigned)yyjson_arr_size(list);
    return true;
}

static bool take_all(yyjson_val *root, struct cluster *cluster)
{
    char id[ID_TEXT + 4];
    cluster->generation = yyjson_get_uint(yyjson_obj_get(root, "generation"));
    cluster->own = yyjson_get_uint(yyjson_obj_get(root, "server"));
    cluster->witness = yyjson_get_bool(yyjson_obj_get(root, "witness"));
    return cluster->own && cluster->generation && take_text(root, "cluster", id, sizeof id) &&
           id_parse(str_of(id), &cluster->id) == 0 &&
           take_text(root, "name", cluster->name, sizeof cluster->name) &&
           take_text(root, "listen", cluster->listen, sizeof cluster->listen) &&
           take_text(root, "address", cluster->address, sizeof cluster->address) &&
           take_founders(yyjson_obj_get(root, "founders"), cluster);
}

int cluster_read(const char *datadir, struct cluster *cluster, struct failure *failure)
{
    char path[DATADIR_PATH];
    struct buf text;
    int err = cluster_paths(datadir, cluster, failure);
    err = err ? err : file_join(path, cluster->dir, "cluster.json", failure);
    if (err)
        return err;
    buf_init(&text, JSON_MAX);
    err = file_read_all(path, &text, failure);
    if (err == ERR_NOTFOUND)
        fail(failure, err, "%s belongs to no cluster: its server runs alone", datadir);
    if (!err) {
        yyjson_doc *doc = yyjson_read(text.at, text.len, 0);
        if (!take_all(yyjson_doc_get_root(doc), cluster))
            err = fail(failure, ERR_DAMAGED,
                       "%s cannot be read as what a cluster's server keeps; bring it back from a "
                       "backup, or join again with an empty directory",
                       path);
        yyjson_doc_free(doc);
    }
    buf_close(&text);
    return err;
}

int cluster_refuse_witness(const char *datadir, struct failure *failure)
{
    struct cluster *cluster = malloc(sizeof *cluster);
    if (!cluster)
        return fail(failure, ERR_NOMEM, "out of memory");
    bool witness = cluster_read(datadir, cluster, NULL) == 0 && cluster->witness;
    free(cluster);
    return witness ? fail(failure, ERR_STATE,
                          "%s is a witness's directory, which has no shop: run it by `stoa witness "
                          "--dir %s`, or give the --dir of a server",
                          datadir, datadir)
                   : 0;
}

static char *json_of(const struct cluster *cluster, size_t *len)
{
    char id[ID_TEXT];
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc), *founders = yyjson_mut_arr(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "cluster", id_text(cluster->id, id));
    yyjson_mut_obj_add_str(doc, root, "name", cluster->name);
    yyjson_mut_obj_add_uint(doc, root, "generation", cluster->generation);
    yyjson_mut_obj_add_uint(doc, root, "server", cluster->own);
    if (cluster->witness)
        yyjson_mut_obj_add_bool(doc, root, "witness", true);
    yyjson_mut_obj_add_str(doc, root, "listen", cluster->listen);
    yyjson_mut_obj_add_str(doc, root, "address", cluster->address);
    for (unsigned i = 0; i < cluster->founder_count; i++) {
        yyjson_mut_val *each = yyjson_mut_arr_add_obj(doc, founders);
        yyjson_mut_obj_add_uint(doc, each, "id", cluster->founders[i].id);
        yyjson_mut_obj_add_str(doc, each, "address", cluster->founders[i].address);
    }
    yyjson_mut_obj_add_val(doc, root, "founders", founders);
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_PRETTY_TWO_SPACES, len);
    yyjson_mut_doc_free(doc);
    return text;
}

int cluster_write(const struct cluster *cluster, struct failure *failure)
{
    char path[DATADIR_PATH];
    size_t len = 0;
    int err = file_join(path, cluster->dir, "cluster.json", failure);
    if (err)
        return err;
    char *text = json_of(cluster, &len);
    if (!text)
        return fail(failure, ERR_NOMEM, "%s: out of memory", path);
    err = file_write(path, str_make(text, len), failure);
    free(text);
    return err;
}

/* ---- Founding ---- */

struct founding {
    struct cluster common; /* id, name, founders */
    struct buf authority, authority_key;
    struct datadir first; /* its secret and token are the cluster's */
    bool has_log;         /* it was alone, and the log it goes on with knows of no other server */
};

/* Certificate and key of the server CLUSTER->own, and the authority, into its directory. */
static int write_pems(const struct founding *founding, const struct cluster *cluster,
                      struct failure *failure)
{
    char name[32];
    struct buf key, request, certificate;
    buf_init(&key, CLUSTER_PEM_MAX);
    buf_init(&request, CLUSTER_PEM_MAX);
    buf_init(&certificate, CLUSTER_PEM_MAX);
    snprintf(name, sizeof name, "server-%llu", (unsigned long long)cluster->own);
    int err = authority_request(&key, &request, failure);
    err = err ? err
              : authority_sign(buf_text(&founding->authority), buf_text(&founding->authority_key),
                               buf_text(&request), name, &certificate, failure);
    err = err ? err : file_write(cluster->authority, buf_text(&founding->authority), failure);
    err =
        err ? err : file_write(cluster->authority_key, buf_text(&founding->authority_key), failure);
    err = err ? err : file_write(cluster->key, buf_text(&key), failure);
    err = err ? err : file_write(cluster->certificate, buf_text(&certificate), failure);
    buf_close(&key);
    buf_close(&request);
    buf_close(&certificate);
    return err;
}

/* What is the same on all servers, from the first to DATADIR. */
static int share_secrets(const struct founding *founding, const char *datadir,
                         struct failure *failure)
{
    char path[DATADIR_PATH], text[2 * DATADIR_SECRET + 2];
    int err = file_join(path, datadir, "shop.db", failure);
    if (!err && access(path, F_OK) == 0)
        return fail(failure, ERR_EXISTS,
                    "%s holds a shop already: a server that is to be one of several begins empty",
                    datadir);
    err = err ? err : file_join(path, datadir, "secret", failure);
    hex_encode(founding->first.secret, DATADIR_SECRET, text);
    strcat(text, "\n");
    err = err ? err : file_write(path, str_of(text), failure);
    err = err ? err : file_join(path, datadir, "operator.token", failure);
    snprintf(text, sizeof text, "%s\n", founding->first.token);
    return err ? err : file_write(path, str_of(text), failure);
}

static int found_server(const struct founding *founding, const char *datadir,
                        const struct server_place *place, struct failure *failure)
{
    struct cluster *own = malloc(sizeof *own);
    if (!own)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = file_make_dir(datadir, 0700, NULL, failure);
    if (!err && place->id != founding->common.founders[0].id)
        err = share_secrets(founding, datadir, failure);
    err = err ? err : cluster_paths(datadir, own, failure);
    err = err ? err : file_make_dir(own->dir, 0700, NULL, failure);
    if (!err) {
        own->id = founding->common.id;
        own->generation = founding->common.generation;
        own->own = place->id;
        /* If the others began a log of their own they could outvote the shop that is there: they
         * wait until the first server takes them in (replica/raft_change.c). */
        bool first = place->id == founding->common.founders[0].id;
        own->founder_count = founding->has_log && !first ? 0 : founding->common.founder_count;
        memcpy(own->founders, founding->common.founders, sizeof own->founders);
        strcpy(own->name, founding->common.name);
        strcpy(own->listen, place->address);
        strcpy(own->address, place->address);
        err = write_pems(founding, own, failure);
    }
    err = err ? err : cluster_write(own, failure);
    free(own);
    return err;
}

/* The last first: the cluster is founded when its first server belongs to it, and until then
 * founding may be done again. */
static int found_servers(const struct founding *founding, const char *const *datadirs,
                         const struct server_place *places, unsigned count, struct failure *failure)
{
    int err = 0;
    for (unsigned i = count; !err && i-- > 0;)
        err = found_server(founding, datadirs[i], &places[i], failure);
    return err;
}

static int check_founding(const char *name, const char *const *datadirs, unsigned count,
                          struct cluster *scratch, struct failure *failure)
{
    if (count < 1 || count > CLUSTER_SERVERS_MAX)
        return fail(failure, ERR_INVALID, "a cluster begins with 1 to %d servers",
                    CLUSTER_SERVERS_MAX);
    int err = cluster_check_name(name, failure);
    if (err)
        return err;
    err = cluster_read(datadirs[0], scratch, failure);
    if (err == 0)
        return fail(failure, ERR_EXISTS, "%s is server %llu of the cluster \"%s\" already",
                    datadirs[0], (unsigned long long)scratch->own, scratch->name);
    return err == ERR_NOTFOUND ? 0 : err;
}

int cluster_found(const char *name, const char *const *datadirs, const struct server_place *places,
                  unsigned count, struct failure *failure)
{
    struct founding *founding = calloc(1, sizeof *founding);
    if (!founding)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = check_founding(name, datadirs, count, &founding->common, failure);
    err = err ? err : datadir_open(datadirs[0], &founding->first, failure);
    if (err) {
        free(founding);
        return err;
    }
    char vote[DATADIR_PATH];
    err = file_join(vote, founding->first.raft, "vote", failure);
    founding->has_log = !err && access(vote, F_OK) == 0;
    founding->common = (struct cluster){.generation = 1, .founder_count = count};
    founding->common.id = id_new(clock_wall_ms());
    strcpy(founding->common.name, name);
    memcpy(founding->common.founders, places, count * sizeof *places);
    buf_init(&founding->authority, CLUSTER_PEM_MAX);
    buf_init(&founding->authority_key, CLUSTER_PEM_MAX);
    err = err ? err : authority_new(name, &founding->authority, &founding->authority_key, failure);
    err = err ? err : found_servers(founding, datadirs, places, count, failure);
    buf_close(&founding->authority);
    buf_close(&founding->authority_key);
    datadir_close(&founding->first);
    free(founding);
    return err;
}
