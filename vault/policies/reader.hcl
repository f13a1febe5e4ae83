# Finds tokens, and changes nothing. For a mount other than "secret" or a prefix
# other than "tokenstore/", replace them here.

path "secret/data/tokenstore/*" {
  capabilities = ["read"]
}

# GetTokens lists.
path "secret/metadata/tokenstore/*" {
  capabilities = ["list"]
}
