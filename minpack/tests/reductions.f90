! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> A Jacobian and its residuals reduced to what the steps of a fit need.
module reductions
    use kinds, only: wp
    use pivoted_qr, only: factor_rows
    use matrices, only: upper_triangle
    implicit none (type, external)
    private
    public :: factor, new_reduction

    !> What a reduction J P = Q R leaves.
    type, public :: reduction
        real(wp), allocatable :: r(:, :)        !! triangle R (n, n), zeros below
        real(wp), allocatable :: qtf(:)         !! first n entries of Qᵀ f
        real(wp), allocatable :: acnorm(:)      !! norms of the columns of J
        integer, allocatable :: ipvt(:)         !! the permutation P
    end type reduction

contains

    !> A reduction with arrays for n parameters.
    pure function new_reduction(n) result(answer)
        integer, intent(in) :: n                !! parameters
        type(reduction) :: answer

        allocate (answer%r(n, n), answer%qtf(n), answer%acnorm(n), answer%ipvt(n))
    end function new_reduction

    !> Factor a whole Jacobian at once.
    pure function factor(jac, f) result(answer)
        real(wp), intent(in) :: jac(:, :)       !! the Jacobian
        real(wp), intent(in) :: f(:)            !! the residuals
        type(reduction) :: answer

        real(wp) :: rows(size(jac, 1), size(jac, 2) + 1), work(size(jac, 2), 2)
        integer :: n

        n = size(jac, 2)
        rows(:, :n) = jac
        rows(:, n + 1) = f
        answer = new_reduction(n)
        call factor_rows(size(f), n, rows, answer%r, answer%qtf, answer%ipvt, answer%acnorm, work(:, 1), work(:, 2))
        answer%r = upper_triangle(answer%r)
    end function factor

end module reductions
