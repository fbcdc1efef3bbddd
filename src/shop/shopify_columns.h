/* The columns of Shopify's product CSV that mean something here, in both generations of
 * headers. For shopify_read.c and shopify_write.c alone.
 */
#ifndef STOA_SHOP_SHOPIFY_COLUMNS_H
#define STOA_SHOP_SHOPIFY_COLUMNS_H

/* Name here, header of today (written), header of before. The order is that of export. */
#define SHOPIFY_COLUMN_LIST(X)                                                  \
    X(TITLE, "Title", "Title")                                                  \
    X(HANDLE, "URL handle", "Handle")                                           \
    X(HTML, "Description", "Body (HTML)")                                       \
    X(VENDOR, "Vendor", "Vendor")                                               \
    X(CATEGORY, "Product category", "Product Category")                         \
    X(TYPE, "Type", "Type")                                                     \
    X(TAGS, "Tags", "Tags")                                                     \
    X(PUBLISHED, "Published on online store", "Published")                      \
    X(STATUS, "Status", "Status")                                               \
    X(SKU, "SKU", "Variant SKU")                                                \
    X(BARCODE, "Barcode", "Variant Barcode")                                    \
    X(OPTION1_NAME, "Option1 name", "Option1 Name")                             \
    X(OPTION1_VALUE, "Option1 value", "Option1 Value")                          \
    X(OPTION2_NAME, "Option2 name", "Option2 Name")                             \
    X(OPTION2_VALUE, "Option2 value", "Option2 Value")                          \
    X(OPTION3_NAME, "Option3 name", "Option3 Name")                             \
    X(OPTION3_VALUE, "Option3 value", "Option3 Value")                          \
    X(PRICE, "Price", "Variant Price")                                          \
    X(COMPARE_AT, "Compare-at price", "Variant Compare At Price")               \
    X(TAXABLE, "Charge tax", "Variant Taxable")                                 \
    X(TRACKER, "Inventory tracker", "Variant Inventory Tracker")                \
    X(QUANTITY, "Inventory quantity", "Variant Inventory Qty")                  \
    X(POLICY, "Continue selling when out of stock", "Variant Inventory Policy") \
    X(GRAMS, "Weight value (grams)", "Variant Grams")                           \
    X(SHIPPING, "Requires shipping", "Variant Requires Shipping")               \
    X(IMAGE, "Product image URL", "Image Src")                                  \
    X(IMAGE_POSITION, "Image position", "Image Position")                       \
    X(IMAGE_ALT, "Image alt text", "Image Alt Text")                            \
    X(VARIANT_IMAGE, "Variant image URL", "Variant Image")                      \
    X(SEO_TITLE, "SEO title", "SEO Title")                                      \
    X(SEO_DESCRIPTION, "SEO description", "SEO Description")

enum shopify_column {
#define X(name, now, before) SHOPIFY_##name,
    SHOPIFY_COLUMN_LIST(X)
#undef X
        SHOPIFY_COLUMN_COUNT
};

#endif
