! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The lane modules as they were compiled for each level of the processor, and how much work they need.
module lane_levels
    use kinds, only: wp, long
    use native, only: fit_model, by_fit
    use lm, only: lm_layout, layout
    use lane_kinds, only: lane_layout, layout_of_lanes
    use lane_alone_baseline, only: jacobians_of, &
        step_alone_baseline => step_alone, evaluate_points_baseline => evaluate_points
    use lane_alone_v3, only: step_alone_v3 => step_alone, evaluate_points_v3 => evaluate_points
    use lane_alone_v4, only: step_alone_v4 => step_alone, evaluate_points_v4 => evaluate_points
    use lane_fits_baseline, only: fit_queue_baseline => fit_queue
    use lane_fits_v3, only: fit_queue_v3 => fit_queue
    use lane_fits_v4, only: fit_queue_v4 => fit_queue
    use lane_covariance_baseline, only: invert_triangles_baseline => invert_triangles
    use lane_covariance_v3, only: invert_triangles_v3 => invert_triangles
    use lane_covariance_v4, only: invert_triangles_v4 => invert_triangles
    implicit none (type, external)
    public

contains

    !> Lay out the work of `fit_queue` for a model.
    pure function layout_of_model(model, n, predictors, m) result(at)
        type(fit_model), intent(in) :: model
        integer, intent(in) :: n, predictors, m
        type(lane_layout) :: at

        type(lm_layout) :: alone

        alone = layout(m, n, jacobians_of(model, m), .true.)
        at = layout_of_lanes(n, predictors, m, alone%size, numbers_of_function(model, n, m))
    end function layout_of_model

    !> Say how many numbers of work a function for a fit takes.
    pure integer(long) function numbers_of_function(model, n, m) result(numbers)
        type(fit_model), intent(in) :: model
        integer, intent(in) :: n, m

        numbers = 0
        if (model%number == by_fit) numbers = m*(n + 2_long)
    end function numbers_of_function

end module lane_levels
