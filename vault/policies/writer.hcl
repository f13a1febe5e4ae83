# Finds, saves and deletes tokens: the role of an application.

path "secret/data/tokenstore/*" {
  capabilities = ["create", "read", "update", "patch"]
}

# Older versions of a deleted token are destroyed.
path "secret/destroy/tokenstore/*" {
  capabilities = ["update"]
}

# GetTokens lists; who deletes asks which versions there are.
path "secret/metadata/tokenstore/*" {
  capabilities = ["list", "read"]
}

# Secrets of the index are told to keep one version. Without this they keep as
# many as the mount says. With vault.WithMaxVersions the path is
# "secret/metadata/tokenstore/*", with the capabilities above beside update.
path "secret/metadata/tokenstore/index/*" {
  capabilities = ["list", "read", "update"]
}

# OpenBao only: its list of metadata tells GetTokens what was deleted by hand.
path "secret/detailed-metadata/tokenstore/*" {
  capabilities = ["list"]
}
