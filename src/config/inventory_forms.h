/*
 * config/inventory_forms.h - how names, addresses and the like in an inventory must look.
 *
 * Many of them become parts of paths, arguments and commands, so they are narrow on purpose.
 */
#ifndef UPSHIFT_CONFIG_INVENTORY_FORMS_H
#define UPSHIFT_CONFIG_INVENTORY_FORMS_H

#include "config/schema.h"

extern const struct schema_form form_cluster_name, form_node_name, form_user, form_system_user,
    form_suite, form_version, form_host_name, form_variable, form_address, form_master_name;

/* Splits an address of form_address. The host stays in brackets when it is written so. */
void address_split(const char *address, struct str *ret_host, int64_t *ret_port);

#endif
