object 4d791ade77d7abe6da43a812284c49a035ef85f6
type commit
tag t-signed
tagger Jane Doe <jane@example.org> 1795293674 +0000

a signed tag
-----BEGIN PGP SIGNATURE-----

iQEzBAABCgAdFiEEcvQpiM6Wl6gyKSPZDiPGYUBUkyQFAmsCAeoACgkQDiPGYUBU
kyRSmAgAu/TazaBXuV9/4njPiy5AGwjrXa8uVl5cz/UDT7c+aereRmuYRS1oCv/e
ZFxZJUVaOoK+lkrfev+X+GLOJPxCeuCGRd5QLIlpWpZgkaEuoKyUjSb2wgqZgt2V
GbIoHWtxy0V/1QalRrblnvxN+jk28MIdVMmgmQ8xd9RSkUK3lRXWVM7D+OhPe9ui
bDsE/niGCccKLJKijV1ZVzwrbyhMFiIySDJKi6k3y7mawObTMphRQ5rMbMvzJX+g
cRyH2LSHsMYRHy+aUx8lGv2EYqzlXJqCGAK7yotLxKhnEMvdfkPFRsgUHjbu5mwG
9M+Q3bpKN81/SHPo2MdSrZ6NvzGoOw==
=efww
-----END PGP SIGNATURE-----
