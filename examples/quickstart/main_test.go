// The program prints what its comment says, and no credential.

package main

func Example_main() {
	main()
	// Output: OAuthToken{id: "glwwf6ptjap6vdkmiafqub2eu4", user: "amelia@zylker.com:60001234567", api domain: "", has: client_id client_secret refresh_token}
}
