//go:build !linux

package main

// beNice does nothing here.
func beNice() {}
