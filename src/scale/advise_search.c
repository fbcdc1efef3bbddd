#include "scale/advise_search.h"

#include "base/check.h"
#include "scale/advise_local.h"
#include "scale/advise_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = 1 << 20, NODES_FIRST = 1024 };

/* Numbers of servers by site; those at sites before FROM are settled. */
struct node {
    double bound; /* the least that it costs with what it lacks */
    uint32_t total, turn;
    uint8_t from, servers[ADVISE_SITES_EXACT];
};

struct tree {
    const struct advise_input *input;
    struct node *nodes; /* a heap */
    unsigned count, room;
    uint32_t turns;
    bool overflown;
    double carries[ADVISE_SITES_MAX]; /* share of all the load, by one server */
    double least_cost;                /* of carrying all of it */
    unsigned witnesses;
};

/* ---- The heap ---- */

/* The cheaper one; of two the fuller one, which is nearer to its end; then the older one. */
static bool is_before(const struct node *a, const struct node *b)
{
    if (a->bound < b->bound || a->bound > b->bound)
        return a->bound < b->bound;
    return a->total != b->total ? a->total > b->total : a->turn < b->turn;
}

static void swap(struct node *a, struct node *b)
{
    struct node kept = *a;
    *a = *b;
    *b = kept;
}

static bool make_room(struct tree *tree)
{
    if (tree->count < tree->room)
        return true;
    unsigned room = tree->room ? 2 * tree->room : NODES_FIRST;
    struct node *nodes = room <= NODES_MAX ? realloc(tree->nodes, room * sizeof *nodes) : NULL;
    if (!nodes) {
        tree->overflown = true;
        return false;
    }
    tree->nodes = nodes;
    tree->room = room;
    return true;
}

static void push(struct tree *tree, const struct node *node)
{
    if (!make_room(tree))
        return;
    unsigned at = tree->count++;
    tree->nodes[at] = *node;
    tree->nodes[at].turn = tree->turns++;
    for (; at > 0 && is_before(&tree->nodes[at], &tree->nodes[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&tree->nodes[at], &tree->nodes[(at - 1) / 2]);
}

static struct node pop(struct tree *tree)
{
    struct node first = tree->nodes[0];
    tree->nodes[0] = tree->nodes[--tree->count];
    for (unsigned at = 0;;) {
        unsigned least = at;
        for (unsigned child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < tree->count && is_before(&tree->nodes[child], &tree->nodes[least]))
                least = child;
        if (least == at)
            return first;
        swap(&tree->nodes[at], &tree->nodes[least]);
        at = least;
    }
}

/* ---- Bounds ---- */

static double work_of(const struct advise_input *input, unsigned region, unsigned site)
{
    double sum = 0;
    for (unsigned k = 0; k < ADVISE_KINDS; k++)
        sum += input->regions[region].rate[k] * input->regions[region].peak *
               input->sites[site].work_s[k];
    return sum;
}

/* The most that one server of SITE can carry of all the work, which is counted as at site 0: of
 * the region whose requests are quickest here. */
static double share_carried(const struct advise_input *input, unsigned site)
{
    double all = 0, quickest = INFINITY, writes = 0;
    for (unsigned r = 0; r < input->region_count; r++) {
        double there = work_of(input, r, 0);
        all += there;
        if (there > 0)
            quickest = fmin(quickest, work_of(input, r, site) / there);
        writes += input->regions[r].rate[ADVISE_WRITE] * input->regions[r].peak;
    }
    double room =
        input->utilisation * input->sites[site].processors - writes * input->sites[site].write_s;
    return all <= 0 || quickest <= 0 ? 1 : fmax(room, 0) / quickest / all;
}

static void measure(struct tree *tree)
{
    const struct advise_input *input = tree->input;
    tree->least_cost = INFINITY;
    for (unsigned s = 0; s < input->site_count; s++) {
        const struct advise_site *site = &input->sites[s];
        tree->carries[s] = share_carried(input, s);
        tree->witnesses += site->witness;
        if (site->most > 0 && tree->carries[s] > 0)
            tree->least_cost = fmin(tree->least_cost, site->cost / tree->carries[s]);
    }
}

/* Sets what NODE costs at least; false: it cannot carry the load, whatever is added. */
static bool set_bound(const struct tree *tree, struct node *node)
{
    double cost = 0, carried = 0;
    node->total = 0;
    for (unsigned s = 0; s < tree->input->site_count; s++) {
        node->total += node->servers[s];
        cost += node->servers[s] * tree->input->sites[s].cost;
        carried += node->servers[s] * tree->carries[s];
    }
    double missing = fmax(0, 1 - 1e-9 - carried);
    node->bound = missing > 0 ? cost + missing * tree->least_cost : cost;
    return isfinite(node->bound);
}

/* ---- The tree ---- */

static void push_children(struct tree *tree, const struct node *node)
{
    for (unsigned s = node->from; s < tree->input->site_count; s++) {
        struct node child = *node;
        child.from = (uint8_t)s;
        if (node->servers[s] >= tree->input->sites[s].most ||
            node->total + tree->witnesses >= ADVISE_VOTES_MAX)
            continue;
        child.servers[s]++;
        if (set_bound(tree, &child))
            push(tree, &child);
    }
}

static struct advise_verdict judge_node(const struct advise_input *input, const struct node *node,
                                        unsigned *servers)
{
    for (unsigned s = 0; s < input->site_count; s++)
        servers[s] = node->servers[s];
    return advise_judge(input, servers, ADVISE_SITES_MAX, true);
}

/* As long as there is something that costs no more than the best. */
static void walk(struct tree *tree, uint64_t judged_max, struct advise_search *search)
{
    double best_cost = INFINITY, best_mean_s = INFINITY;
    while (tree->count > 0 && tree->nodes[0].bound <= best_cost * (1 + 1e-9)) {
        unsigned servers[ADVISE_SITES_MAX] = {0};
        if (search->judged >= judged_max || tree->overflown)
            break;
        struct node node = pop(tree);
        struct advise_verdict verdict = judge_node(tree->input, &node, servers);
        search->judged++;
        if (verdict.penalty <= 0 && (!search->found || verdict.mean_s < best_mean_s)) {
            search->found = true;
            memcpy(search->plan.servers, servers, sizeof servers);
            search->plan.primary = verdict.primary;
            best_cost = advise_cost(tree->input, &search->plan);
            best_mean_s = verdict.mean_s;
        }
        push_children(tree, &node);
    }
    search->bound = tree->count > 0 ? tree->nodes[0].bound : INFINITY;
    search->exact = search->found ? search->bound >= best_cost * (1 - 1e-9)
                                  : tree->count == 0 && !tree->overflown;
}

static void search_tree(const struct advise_input *input, uint64_t judged_max,
                        struct advise_search *search)
{
    struct tree tree = {.input = input};
    struct node root = {0};
    measure(&tree);
    for (unsigned s = 0; s < input->site_count; s++)
        root.servers[s] = (uint8_t)input->sites[s].least;
    if (set_bound(&tree, &root))
        push(&tree, &root);
    if (tree.overflown)
        search->bound = root.bound;
    else
        walk(&tree, judged_max, search);
    free(tree.nodes);
}

void advise_search(const struct advise_input *input, uint64_t judged_max,
                   struct advise_search *search)
{
    bool hopeless = advise_hopeless(input);
    *search = (struct advise_search){.exact = hopeless};
    if (input->site_count <= ADVISE_SITES_EXACT && !hopeless)
        search_tree(input, judged_max, search);
    if (search->exact && search->found)
        return;
    struct advise_plan local;
    bool holds = advise_local(input, &local, &search->judged);
    if (!search->found || (holds && advise_cost(input, &local) < advise_cost(input, &search->plan)))
        search->plan = local;
    search->found = search->found || holds;
    CHECK(!holds || !search->exact);
}
