/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Reads SpatioTemporal Asset Catalogs, versions 1.0 and 1.1, from files and over HTTP.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.data.stac.StacReader}, which lists the items of a
 * static catalogue, a collection, an item collection or a search API, page by page. {@link
 * io.crossmodal.trainer.data.stac.AssetChoice} says which of an item's assets are meant, {@link
 * io.crossmodal.trainer.data.stac.Spool} keeps files that are fetched, up to so many bytes, and
 * {@link io.crossmodal.trainer.data.stac.HttpFiles} fetches: again where a server is full or away,
 * and from where a connection broke. The package {@code encode} and the command line call it.
 */
package io.crossmodal.trainer.data.stac;
