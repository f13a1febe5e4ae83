# Finds tokens, and changes nothing. For a mount other than "secret" or a prefix
# other than "tokenstore/", replace them here.

# Only current versions: an older one may hold a refresh token that still works.
path "secret/data/tokenstore/*" {
  capabilities      = ["read"]
  denied_parameters = { "version" = [] }
}

# GetTokens lists, and so does a find by an access token that the index leaves out.
path "secret/metadata/tokenstore/*" {
  capabilities = ["list"]
}

# OpenBao only: its list of metadata shows GetTokens what was deleted by hand.
path "secret/detailed-metadata/tokenstore/*" {
  capabilities = ["list"]
}
