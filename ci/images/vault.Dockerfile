# Vault in dev mode: the program, which is linked statically, and nothing else.
FROM scratch
COPY vault /bin/vault
WORKDIR /home
ENV HOME=/home VAULT_DEV_LISTEN_ADDRESS=0.0.0.0:8200
EXPOSE 8200
ENTRYPOINT ["/bin/vault"]
CMD ["server", "-dev"]
