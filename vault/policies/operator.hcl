# Does what the writer does, repairs the store (Reindex, which removes names
# permanently) and rotates credentials with "vault kv patch".

path "secret/data/tokenstore/*" {
  capabilities = ["create", "read", "update", "patch"]
}

path "secret/destroy/tokenstore/*" {
  capabilities = ["update"]
}

# Undo a deletion made in Vault's UI.
path "secret/undelete/tokenstore/*" {
  capabilities = ["update"]
}

path "secret/metadata/tokenstore/*" {
  capabilities = ["list", "read", "update", "delete"]
}

# OpenBao only: its list of metadata shows what was deleted by hand.
path "secret/detailed-metadata/tokenstore/*" {
  capabilities = ["list"]
}

# "tokenstore check" warns of settings that delete tokens.
path "secret/config" {
  capabilities = ["read"]
}
