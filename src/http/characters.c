#include "http/characters.h"

enum {
    TARGET = CHARACTERS_TARGET,
    HOST = CHARACTERS_HOST | CHARACTERS_TARGET,
    TOKEN = CHARACTERS_TOKEN | CHARACTERS_TARGET,
    ALL = CHARACTERS_TOKEN | CHARACTERS_HOST | CHARACTERS_TARGET,
};

const unsigned char characters_table[256] = {
    ['!'] = ALL,          ['"'] = TARGET,         ['#'] = CHARACTERS_TOKEN,
    ['$' ... '\''] = ALL, ['(' ... ')'] = HOST,   ['*' ... '+'] = ALL,
    [','] = HOST,         ['-' ... '.'] = ALL,    ['/'] = TARGET,
    ['0' ... '9'] = ALL,  [':'] = TARGET,         [';'] = HOST,
    ['<'] = TARGET,       ['='] = HOST,           ['>' ... '@'] = TARGET,
    ['A' ... 'Z'] = ALL,  ['[' ... ']'] = TARGET, ['^'] = TOKEN,
    ['_'] = ALL,          ['`'] = TOKEN,          ['a' ... 'z'] = ALL,
    ['{'] = TARGET,       ['|'] = TOKEN,          ['}'] = TARGET,
    ['~'] = ALL,
};
