# Does what the writer does, repairs the store (Reindex, which removes names for
# good) and rotates credentials by "vault kv patch".

path "secret/data/tokenstore/*" {
  capabilities = ["create", "read", "update", "patch"]
}

path "secret/destroy/tokenstore/*" {
  capabilities = ["update"]
}

# Undo a deletion that was made on Vault's own page.
path "secret/undelete/tokenstore/*" {
  capabilities = ["update"]
}

path "secret/metadata/tokenstore/*" {
  capabilities = ["list", "read", "update", "delete"]
}

# OpenBao only: its list of metadata tells what was deleted by hand.
path "secret/detailed-metadata/tokenstore/*" {
  capabilities = ["list"]
}

# "tokenstore check" warns of settings that delete tokens.
path "secret/config" {
  capabilities = ["read"]
}
