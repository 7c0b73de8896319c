#include "rotation/publishers/targets.hpp"

namespace keyherd::rotation {

Status publish_file(const model::PublishFile& file, const Publication& publication,
                    const PublishContext& context) {
  KH_ASSIGN(const Secret document, published_text(file, publication));
  WriteOptions options;
  options.mode = file.mode;
  options.owner = file.owner;
  if (Status written = context.files.write_atomic(file.path, document.reveal(), options); !written)
    return fail(with_context(std::move(written).error(), "publishing to file " + file.path));
  return {};
}

}  // namespace keyherd::rotation
