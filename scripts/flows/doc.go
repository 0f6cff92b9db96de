// Package flows is the two stories of the product with a real kernel, real devices that come and go, the real agent as a
// service and the real console; build tag lab. It never touches devices of the machine it runs on.
package flows
