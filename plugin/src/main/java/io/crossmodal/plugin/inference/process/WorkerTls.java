/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import io.crossmodal.model.Messages;
import io.crossmodal.model.inference.protocol.PeerTrust;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.nio.file.Path;
import javax.net.ssl.SSLException;

/**
 * Files in PEM form with which this node and workers show each other who they are.
 *
 * @param ca whom the node believes to be a worker: the holders of these certificates, and of those
 *     that they have signed, where the certificate names the address's host
 * @param certificate the node's own, and those between it and a CA
 * @param key its private key, PKCS#8 without a password
 */
public record WorkerTls(Path ca, Path certificate, Path key) {
  /**
   * Reads the files.
   *
   * @throws IllegalArgumentException when they cannot be used, saying which
   */
  SslContext context() {
    try {
      return SslContextBuilder.forClient()
          .sslProvider(SslProvider.JDK)
          .protocols("TLSv1.3", "TLSv1.2")
          .endpointIdentificationAlgorithm("HTTPS")
          .trustManager(PeerTrust.of(ca))
          .keyManager(certificate.toFile(), key.toFile())
          .build();
    } catch (IOException e) {
      if (!(e instanceof SSLException)) {
        throw new IllegalArgumentException(
            "[plugins.cross_modal.engine.tls.ca] cannot be read: "
                + Messages.excerpt(e.getMessage(), 300),
            e);
      }
      throw unusable(e);
    } catch (IllegalArgumentException e) {
      throw unusable(e);
    }
  }

  private IllegalArgumentException unusable(Exception cause) {
    return new IllegalArgumentException(
        "[plugins.cross_modal.engine.tls.certificate] must be a certificate in PEM form, ["
            + certificate
            + "], and [plugins.cross_modal.engine.tls.key] its private key in PKCS#8 without a"
            + " password, ["
            + key
            + "]: "
            + Messages.excerpt(
                cause.getCause() == null ? cause.getMessage() : cause.getCause().toString(), 300),
        cause);
  }
}
