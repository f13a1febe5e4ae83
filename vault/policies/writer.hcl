# Finds, saves and deletes tokens: the role of an application.

path "secret/data/tokenstore/*" {
  capabilities = ["create", "read", "update", "patch"]
}

# Older versions of a deleted token are destroyed.
path "secret/destroy/tokenstore/*" {
  capabilities = ["update"]
}

# GetTokens lists; a deletion reads which versions exist.
path "secret/metadata/tokenstore/*" {
  capabilities = ["list", "read"]
}

# Limits index secrets to one version. Without this they keep the mount's number
# of versions. With vault.WithMaxVersions the path is
# "secret/metadata/tokenstore/*", with update added to the capabilities above.
path "secret/metadata/tokenstore/index/*" {
  capabilities = ["list", "read", "update"]
}

# OpenBao only: its list of metadata shows GetTokens what was deleted by hand.
path "secret/detailed-metadata/tokenstore/*" {
  capabilities = ["list"]
}
