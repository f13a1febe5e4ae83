// Command bench
package main

func main() {}
