! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> What is remembered of fits that advance in lockstep between two evaluations, and what becomes of them.
!>
!> A lane is one fit of a group. Lane indices come first in every array, so that each statement about a group is
!> one SIMD instruction or two. The state of a group is three arrays: the scalars named below, (width, scalars), the
!> vectors, (width, n, vectors), and the triangle R with the head of Qᵀ f, (width, n, n + 1).
module lane_kinds
    use kinds, only: wp, long
    implicit none (type, external)
    private
    public :: layout_of_lanes, open_group

    integer, parameter, public :: most_width = 16   !! lanes of the widest group, see lane_widths
    !> Rows evaluated and folded at once, few enough for the first cache. Columns are width*lane_rows numbers apart:
    !> were that a power of two, loads from one column would wait for stores to another.
    integer, parameter, public :: lane_rows = 52
    integer, parameter, public :: most_parameters = 32      !! of a model
    integer, parameter, public :: most_predictors = 8       !! of a model

    ! Scalars.
    integer, parameter, public :: of_stage = 1      !! what the next residuals are for, one of the stages below
    integer, parameter, public :: of_nfev = 2       !! evaluations of the residuals so far
    integer, parameter, public :: of_first = 3      !! 1 until the first step is accepted, then 0
    integer, parameter, public :: of_cost = 4       !! ‖f‖² at x
    integer, parameter, public :: of_gnorm = 5      !! largest square of a cosine between f and a column of J
    integer, parameter, public :: of_xnorm = 6      !! ‖D x‖²
    integer, parameter, public :: of_pnorm = 7      !! ‖D step‖
    integer, parameter, public :: of_linear = 8     !! ‖J step‖²
    integer, parameter, public :: of_delta = 9      !! the step bound
    integer, parameter, public :: of_par = 10       !! the damping parameter
    integer, parameter, public :: of_truncated = 11     !! 1: the step follows bounds that it meets
    integer, parameter, public :: of_hesitant = 12  !! 1: it stops short of one
    integer, parameter, public :: of_damped = 13    !! of a truncated step, -gᵀp - ‖J p‖², else par ‖D p‖²
    integer, parameter, public :: scalars = 13

    ! Vectors.
    integer, parameter, public :: of_x = 1          !! best point so far
    integer, parameter, public :: of_trial = 2      !! where to evaluate next
    integer, parameter, public :: of_diag = 3       !! the squares of the scaling, D²
    integer, parameter, public :: of_lower = 4      !! bounds
    integer, parameter, public :: of_upper = 5
    integer, parameter, public :: of_held = 6       !! 1: fixed, or pushed against its bound by the gradient
    integer, parameter, public :: of_hits = 7       !! accepted steps in a row that led to a bound
    integer, parameter, public :: of_reached = 8    !! 1: the step being tried leads to a bound
    integer, parameter, public :: vectors = 8

    real(wp), parameter, public :: stage_idle = -1.0_wp     !! no fit in this lane
    real(wp), parameter, public :: stage_start = 0.0_wp     !! residuals at the start
    real(wp), parameter, public :: stage_trial = 1.0_wp     !! residuals at x + step

    ! What a judgement or a step leaves behind for each lane, besides MINPACK's exit codes.
    integer, parameter, public :: lane_rejected = -1    !! runs on with a shorter step
    integer, parameter, public :: lane_accepted = -2    !! runs on from the new point, whose Jacobian is due
    integer, parameter, public :: lane_ejected = -3     !! to be fitted again by itself, with pivoting
    integer, parameter, public :: lane_idle = -4        !! nothing to do
    integer, parameter, public :: lane_stopped = -5     !! ended, because the model asked for it

    !> Sums of squares in lanes are plain. Norms beyond these bounds, and triangles nearer to singular than the
    !> last one, are left to the scalar machine, which evaluates large fits with guarded norms where it has to.
    real(wp), parameter, public :: least_norm = 1.0e-140_wp
    real(wp), parameter, public :: largest_norm = 1.0e140_wp
    real(wp), parameter, public :: least_ratio = 1.0e-12_wp

    !> What to fit: data sets with one row of points each, where to start, and how the parameters are scaled.
    type, public :: lane_data
        integer :: n                                            !! parameters of the model
        integer :: predictors                                   !! its predictors
        integer :: m                                            !! points of a data set
        integer :: fits                                         !! data sets
        integer :: x_sets                                       !! 1: the predictors are shared; or fits
        integer :: weight_sets                                  !! 0: no weights; 1: shared; or fits
        integer :: bound_sets                                   !! 0: no bounds; 1: shared; or fits
        logical :: scaled                                       !! whether the scaling is given
        real(wp), pointer, contiguous :: x(:, :, :)             !! predictors (m, predictors, x_sets)
        real(wp), pointer, contiguous :: y(:, :)                !! observations (m, fits)
        real(wp), pointer, contiguous :: weights(:, :)       !! reciprocal errors (m, weight_sets); 0 leaves a point out
        real(wp), pointer, contiguous :: p0(:, :)               !! where to start (n, fits)
        real(wp), pointer, contiguous :: diag(:)                !! that scaling (n)
        real(wp), pointer, contiguous :: bounds(:, :, :)        !! lower and upper (n, 2, bound_sets); equal: fixed
    end type lane_data

    !> What becomes of the fits.
    type, public :: lane_outcome
        real(wp), pointer, contiguous :: popt(:, :)             !! the best points (n, fits)
        real(wp), pointer, contiguous :: triangle(:, :, :)      !! last R, head of Qᵀ f after it (n, n + 1, fits)
        real(wp), pointer, contiguous :: fnorm(:)               !! norms of the residuals (fits)
        integer, pointer, contiguous :: nfev(:)                 !! evaluations (fits)
        integer, pointer, contiguous :: status(:)              !! in: info_running, or no fit is wanted; out: exit codes
    end type lane_outcome

    !> What is known of predictors in lanes, and what models have made of it.
    type, public :: lane_pattern
        integer :: line(most_width) = 0                         !! points of a line of an image, see `line_of`
        integer :: before = 0                                   !! rows before the block that is evaluated
        real(wp) :: step(most_width) = 0.0_wp                   !! from row to row of this block; 0: not evenly spaced
        logical :: tabulated = .false.                          !! whether there is a table
        real(wp), pointer, contiguous :: table(:, :, :) => null()   !! of functions of one coordinate, see lane_spots
    end type lane_pattern

    !> Where each part of the work of `fit_queue` begins.
    type, public :: lane_layout
        integer(long) :: x, y, w                    !! predictors, observations, weights: blocks of rows of a group
        integer(long) :: step                       !! steps of evenly spaced predictors
        integer(long) :: table                      !! functions of one coordinate of images
        integer(long) :: s, v, head                 !! the state of a group
        integer(long) :: fresh                      !! its triangles at the trial points
        integer(long) :: reflected                  !! the same by reflections
        integer(long) :: reduced                    !! its triangles without the columns of what is held
        integer(long) :: block                      !! rows being folded
        integer(long) :: scratch                    !! scratch of a step
        integer(long) :: alone                      !! arrays of a fit by itself
        integer(long) :: whole                      !! arrays of a function for a fit
        integer(long) :: size                       !! length of the work
    end type lane_layout

    !> The fits that advance in lockstep, and their data in blocks of rows.
    type, public :: lane_group
        integer :: blocks                                       !! blocks of rows of a data set
        type(lane_pattern) :: pattern                           !! what is known of the predictors
        logical :: stepping = .false.                           !! whether the model asks for steps of predictors
        logical :: images = .false.                             !! whether any data were those of an image
        logical :: unweighted(most_width) = .true.              !! whether all weights of a fit are one
        logical :: touching = .false.                           !! whether any fit has to do with a bound, see `touches`
        logical :: fixing = .false.                             !! whether any parameter was ever fixed
        logical :: reflecting = .false.                         !! whether rows are reflected: a fit needed it last time
        real(wp), pointer, contiguous :: x(:, :, :, :)          !! predictors (width, lane_rows, predictors, blocks)
        real(wp), pointer, contiguous :: step(:, :)             !! steps of evenly spaced predictors (width, blocks)
        real(wp), pointer, contiguous :: y(:, :, :)             !! observations (width, lane_rows, blocks)
        real(wp), pointer, contiguous :: w(:, :, :)           !! weights, where there are any (width, lane_rows, blocks)
        real(wp), pointer, contiguous :: s(:, :)                !! scalars (width, scalars)
        real(wp), pointer, contiguous :: v(:, :, :)             !! vectors (width, n, vectors)
        real(wp), pointer, contiguous :: head(:, :, :)          !! triangles (width, n, n + 1)
        real(wp), pointer, contiguous :: fresh(:, :, :)         !! those at the trial points
        real(wp), pointer, contiguous :: reflected(:, :, :)     !! the same by reflections
        real(wp), pointer, contiguous :: reduced(:, :, :)       !! those without held columns; without bounds, `head`
        real(wp), pointer, contiguous :: block(:, :, :)         !! rows being folded (width, lane_rows, n + 1)
        real(wp), pointer, contiguous :: scratch(:, :, :)       !! scratch (width, n + 1, n + 4)
        real(wp), pointer, contiguous :: alone(:)               !! arrays of a fit by itself
        real(wp), pointer, contiguous :: whole(:, :)            !! of a function for a fit (m*(n + 2), width)
    end type lane_group

contains

    !> Lay out the work, for the widest group.
    pure function layout_of_lanes(n, predictors, m, alone, whole) result(at)
        integer, intent(in) :: n                    !! parameters
        integer, intent(in) :: predictors           !! predictors
        integer, intent(in) :: m                    !! points of a data set
        integer(long), intent(in) :: alone          !! numbers of a fit by itself
        integer(long), intent(in) :: whole          !! numbers of a function for a fit, for each lane
        type(lane_layout) :: at

        integer(long) :: blocks, column

        blocks = (m - 1)/lane_rows + 1
        column = most_width*lane_rows*blocks
        at%x = 1
        at%y = at%x + column*predictors
        at%w = at%y + column
        at%step = at%w + column
        at%table = at%step + most_width*blocks
        at%s = at%table + merge(most_width*3*int(m/2, long), 0_long, predictors == 2)
        at%v = at%s + most_width*scalars
        at%head = at%v + most_width*n*vectors
        at%fresh = at%head + most_width*n*(n + 1)
        at%reflected = at%fresh + most_width*n*(n + 1)
        at%reduced = at%reflected + most_width*n*(n + 1)
        at%block = at%reduced + most_width*n*(n + 1)
        at%scratch = at%block + most_width*lane_rows*(n + 1)
        at%alone = at%scratch + most_width*(n + 1)*(n + 4)
        at%whole = at%alone + alone
        at%size = at%whole + most_width*whole - 1
    end function layout_of_lanes

    !> Find the arrays of a group in the work.
    subroutine open_group(width, n, predictors, m, bounded, at, work, group)
        integer, intent(in) :: width                            !! lanes
        integer, intent(in) :: n, predictors, m
        logical, intent(in) :: bounded
        type(lane_layout), intent(in) :: at
        real(wp), intent(inout), target, contiguous :: work(:)
        type(lane_group), intent(out) :: group

        integer(long) :: numbers

        group%blocks = (m + lane_rows - 1)/lane_rows
        numbers = (at%size - at%whole + 1)/most_width
        group%x(1:width, 1:lane_rows, 1:predictors, 1:group%blocks) => work(at%x:)
        group%step(1:width, 1:group%blocks) => work(at%step:)
        group%y(1:width, 1:lane_rows, 1:group%blocks) => work(at%y:)
        group%w(1:width, 1:lane_rows, 1:group%blocks) => work(at%w:)
        group%pattern%table(1:width, 1:3, 1:m/2) => work(at%table:)
        group%s(1:width, 1:scalars) => work(at%s:)
        group%v(1:width, 1:n, 1:vectors) => work(at%v:)
        group%head(1:width, 1:n, 1:n + 1) => work(at%head:)
        group%fresh(1:width, 1:n, 1:n + 1) => work(at%fresh:)
        group%reflected(1:width, 1:n, 1:n + 1) => work(at%reflected:)
        group%reduced(1:width, 1:n, 1:n + 1) => work(at%head:)
        if (bounded) group%reduced(1:width, 1:n, 1:n + 1) => work(at%reduced:)
        group%block(1:width, 1:lane_rows, 1:n + 1) => work(at%block:)
        group%scratch(1:width, 1:n + 1, 1:n + 4) => work(at%scratch:)
        group%alone => work(at%alone:at%whole - 1)
        group%whole(1:numbers, 1:width) => work(at%whole:)
    end subroutine open_group

end module lane_kinds
